// SPDX-License-Identifier: GPL-2.0

//! Vectors of address ranges that userspace passes.

use crate::{
    error::{
        code::{EFAULT, EINVAL},
        Result,
    },
    model::{self, with_env, UserData},
    page::PAGE_MASK,
    str::UserPtr,
};
use core::pin::Pin;

/// The rest of a vector of address ranges.
pub struct AddressVector {
    ranges: Vec<(usize, usize)>,
}

impl AddressVector {
    /// The greatest number of ranges, and of bytes in all of them.
    const MAX: (usize, usize) = (1024, i32::MAX as usize & PAGE_MASK);

    /// Copies the vector and hands it to `work`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are too many ranges or a length is negative, `EFAULT`, `ENOMEM`; and those
    /// of `work`.
    #[track_caller]
    pub fn import<R>(
        vector: UserPtr,
        count: usize,
        work: impl FnOnce(Pin<&mut Self>) -> Result<R>,
    ) -> Result<R> {
        if count > Self::MAX.0 {
            return Err(EINVAL);
        }
        let UserData::Vector(mut ranges) = with_env(|env| env.user(vector)) else {
            return Err(EFAULT);
        };
        if ranges.len() < count {
            return Err(EFAULT);
        }
        // There is room for eight on the stack.
        if count > 8 {
            model::alloc()?;
        }
        ranges.truncate(count);
        let mut room = Self::MAX.1;
        for (_, len) in &mut ranges {
            if isize::try_from(*len).is_err() {
                return Err(EINVAL);
            }
            *len = (*len).min(room);
            room -= *len;
        }
        work(Pin::new(&mut Self { ranges }))
    }

    /// The length of the rest, in bytes.
    pub fn remaining(&self) -> usize {
        self.ranges.iter().map(|(_, len)| len).sum()
    }

    /// The first range of the rest; `None` at the end.
    pub fn first(&self) -> Option<(usize, usize)> {
        if self.remaining() == 0 {
            return None;
        }
        self.ranges.first().copied()
    }

    /// Goes on to the next range. As C does, it passes over those without length that follow.
    pub fn advance(mut self: Pin<&mut Self>) {
        if self.remaining() == 0 {
            return;
        }
        self.ranges.remove(0);
        let empty = self.ranges.iter().take_while(|(_, len)| *len == 0).count();
        self.ranges.drain(..empty);
    }
}
