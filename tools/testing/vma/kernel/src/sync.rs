// SPDX-License-Identifier: GPL-2.0

//! Atomic variables, as the kernel has them.

/// Atomic variables.
pub mod atomic {
    use core::sync::atomic::{AtomicI32, Ordering};

    /// No order.
    pub struct Relaxed;

    /// An atomic variable.
    pub struct Atomic<T>(AtomicI32, core::marker::PhantomData<T>);

    impl Atomic<i32> {
        /// Makes one.
        pub const fn new(value: i32) -> Self {
            Self(AtomicI32::new(value), core::marker::PhantomData)
        }

        /// Sets the value and returns the old one.
        pub fn xchg(&self, value: i32, _: Relaxed) -> i32 {
            self.0.swap(value, Ordering::Relaxed)
        }
    }
}
