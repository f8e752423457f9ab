// SPDX-License-Identifier: GPL-2.0

//! Plugs of requests to disks.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use crate::{mm::additions::bindings, prelude::*, types::Opaque};
use core::convert::Infallible;
use pin_init::{pin_init_from_closure, stack_pin_init};

/// A plug: requests to disks are held back while it is there, to be submitted together.
///
/// # Invariants
///
/// The plug was started by this thread, whose `task_struct` may point to it.
struct Plug(Opaque<bindings::blk_plug>);

impl Plug {
    #[inline]
    fn start() -> impl PinInit<Self> {
        let init = |plug: *mut Self| {
            // SAFETY: The pointer is valid for writes.
            unsafe { bindings::blk_start_plug(Opaque::cast_into(&raw const (*plug).0)) };
            Ok(())
        };
        // INVARIANT: It is started where it stays.
        // SAFETY: All of it that is used is initialized, and cannot fail.
        unsafe { pin_init_from_closure::<_, Infallible>(init) }
    }
}

impl Drop for Plug {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the plug was started by this thread.
        unsafe { bindings::blk_finish_plug(self.0.get()) };
    }
}

/// Holds requests to disks back while `work` runs, so that they can be submitted together. That may
/// sleep, so that what is returned borrows nothing that is locked.
///
/// C: `blk_start_plug()`, `blk_finish_plug()`.
#[inline]
pub fn plugged<R: 'static>(work: impl FnOnce() -> R) -> R {
    stack_pin_init!(let _plug = Plug::start());
    work()
}
