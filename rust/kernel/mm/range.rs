// SPDX-License-Identifier: GPL-2.0

//! Ranges of whole pages.

use crate::{
    error::{code::EINVAL, Result},
    page::{PAGE_MASK, PAGE_SIZE},
};

/// A range of whole pages in an address space.
///
/// # Invariants
///
/// `start` and `end` are multiples of the page size, and `start < end`.
///
/// # Examples
///
/// ```
/// use kernel::{error::code::EINVAL, mm::PageRange, page::PAGE_SIZE};
///
/// let range = PageRange::from_user(PAGE_SIZE, 1)?.ok_or(EINVAL)?;
/// assert_eq!(range.start(), PAGE_SIZE);
/// assert_eq!(range.end(), 2 * PAGE_SIZE);
/// assert!(PageRange::from_user(1, PAGE_SIZE).is_err());
/// # Ok::<(), kernel::error::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PageRange {
    start: usize,
    end: usize,
}

impl PageRange {
    /// Makes a range of what a caller of `madvise()` passes: an address and a length, both in
    /// bytes.
    ///
    /// The length is rounded up to whole pages. The result is `None` when it is zero.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `start` is not at the start of a page, when `len` wraps around as it is
    /// rounded, and when the end of the range wraps around. So the last page of the address space
    /// is in no range, as in `is_valid_madvise()` of `mm/madvise.c`.
    #[inline]
    pub const fn from_user(start: usize, len: usize) -> Result<Option<Self>> {
        if start & !PAGE_MASK != 0 {
            return Err(EINVAL);
        }
        if len == 0 {
            return Ok(None);
        }
        let Some(padded) = len.checked_add(PAGE_SIZE - 1) else {
            return Err(EINVAL);
        };
        match start.checked_add(padded & PAGE_MASK) {
            // INVARIANT: `start` was checked, the length is a non-zero multiple of the page size,
            // and the sum of both did not wrap.
            Some(end) => Ok(Some(Self { start, end })),
            None => Err(EINVAL),
        }
    }

    /// Makes a range of its bounds, in bytes, without a check.
    ///
    /// # Safety
    ///
    /// - `start` and `end` must be multiples of the page size.
    /// - `start` must be less than `end`.
    #[inline]
    pub(super) unsafe fn new_unchecked(start: usize, end: usize) -> Self {
        // INVARIANT: The caller promises it.
        Self { start, end }
    }

    /// The address of the first page, in bytes.
    #[inline]
    pub const fn start(self) -> usize {
        self.start
    }

    /// The address behind the last page, in bytes.
    #[inline]
    pub const fn end(self) -> usize {
        self.end
    }

    /// The size, in bytes.
    #[inline]
    pub const fn size(self) -> usize {
        self.end - self.start
    }

    /// Returns the whole pages of the range that are in `start..end` too, both in bytes; `None`
    /// when there are none.
    #[inline]
    pub fn clamp(self, start: usize, end: usize) -> Option<Self> {
        let start = if start <= self.start {
            self.start
        } else {
            start.checked_next_multiple_of(PAGE_SIZE)?
        };
        let end = if end < self.end {
            end & PAGE_MASK
        } else {
            self.end
        };
        // INVARIANT: Both are multiples of the page size, and their order is checked.
        (start < end).then_some(Self { start, end })
    }

    /// Returns the range of the same length at the page of the address `start`; `None` when it
    /// would wrap around there.
    #[inline]
    pub fn moved_to(self, start: usize) -> Option<Self> {
        let start = start & PAGE_MASK;
        // INVARIANT: `start` was rounded, the length is a non-zero multiple of the page size, and
        // the sum of both does not wrap.
        Some(Self {
            start,
            end: start.checked_add(self.size())?,
        })
    }
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[macros::kunit_tests(rust_vma_range)]
mod tests {
    use super::*;

    const LAST_PAGE: usize = PAGE_MASK;

    fn bounds(start: usize, len: usize) -> Option<(usize, usize)> {
        match PageRange::from_user(start, len) {
            Ok(Some(range)) => Some((range.start(), range.end())),
            _ => None,
        }
    }

    #[test]
    fn length_is_rounded_up() {
        assert_eq!(bounds(0, 1), Some((0, PAGE_SIZE)));
        assert_eq!(
            bounds(PAGE_SIZE, PAGE_SIZE),
            Some((PAGE_SIZE, 2 * PAGE_SIZE))
        );
        assert_eq!(
            bounds(PAGE_SIZE, PAGE_SIZE + 1),
            Some((PAGE_SIZE, 3 * PAGE_SIZE))
        );
    }

    #[test]
    fn zero_length_is_nothing() {
        assert!(matches!(PageRange::from_user(PAGE_SIZE, 0), Ok(None)));
        assert!(matches!(PageRange::from_user(LAST_PAGE, 0), Ok(None)));
    }

    #[test]
    fn unaligned_start_is_invalid_even_without_length() {
        assert!(matches!(PageRange::from_user(1, PAGE_SIZE), Err(e) if e == EINVAL));
        assert!(matches!(PageRange::from_user(PAGE_SIZE - 1, 0), Err(e) if e == EINVAL));
    }

    #[test]
    fn wrapping_is_invalid() {
        assert!(matches!(PageRange::from_user(0, usize::MAX), Err(e) if e == EINVAL));
        assert!(matches!(PageRange::from_user(0, LAST_PAGE + 1), Err(e) if e == EINVAL));
        assert!(matches!(PageRange::from_user(LAST_PAGE, PAGE_SIZE), Err(e) if e == EINVAL));
        assert!(matches!(PageRange::from_user(LAST_PAGE, 2 * PAGE_SIZE), Err(e) if e == EINVAL));
        assert_eq!(
            bounds(LAST_PAGE - PAGE_SIZE, PAGE_SIZE),
            Some((LAST_PAGE - PAGE_SIZE, LAST_PAGE))
        );
        assert_eq!(bounds(0, LAST_PAGE), Some((0, LAST_PAGE)));
    }

    #[test]
    fn clamp_keeps_the_common_part() {
        let Ok(Some(range)) = PageRange::from_user(2 * PAGE_SIZE, 4 * PAGE_SIZE) else {
            assert!(false);
            return;
        };
        assert_eq!(range.size(), 4 * PAGE_SIZE);
        assert_eq!(range.clamp(0, usize::MAX), Some(range));
        assert_eq!(
            range
                .clamp(3 * PAGE_SIZE, 4 * PAGE_SIZE)
                .map(|part| part.start()),
            Some(3 * PAGE_SIZE)
        );
        assert_eq!(range.clamp(0, 2 * PAGE_SIZE), None);
        assert_eq!(range.clamp(6 * PAGE_SIZE, usize::MAX), None);
    }
}
