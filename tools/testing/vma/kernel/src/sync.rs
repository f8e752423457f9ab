// SPDX-License-Identifier: GPL-2.0

//! Atomic variables and counted references, as the kernel has them.

/// Counted references. What is counted is a handle here, so that a clone is one more reference.
pub mod aref {
    use core::ops::Deref;

    /// A reference that keeps what it refers to.
    #[derive(Clone, Debug)]
    pub struct ARef<T>(T);

    impl<T> ARef<T> {
        pub(crate) fn new(handle: T) -> Self {
            Self(handle)
        }
    }

    impl<T: Clone> From<&T> for ARef<T> {
        fn from(handle: &T) -> Self {
            Self(handle.clone())
        }
    }

    impl<T> Deref for ARef<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }
}

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
