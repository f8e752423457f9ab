// SPDX-License-Identifier: GPL-2.0

//! Errors, by their numbers.

/// The result of the kernel's functions.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// An errno.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Error(i32);

impl Error {
    pub(crate) const fn from_number(errno: i32) -> Self {
        Self(errno)
    }

    /// The number, which is negative.
    pub const fn to_errno(self) -> i32 {
        self.0
    }
}

impl core::fmt::Debug for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match code::NAMES.iter().find(|(error, _)| error == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

/// There is no memory.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct AllocError;

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}

/// The errors.
pub mod code {
    use super::Error;

    macro_rules! errors {
        ($($name:ident = $errno:literal),+ $(,)?) => {
            $(#[doc = stringify!($name)] pub const $name: Error = Error(-$errno);)+
            pub(super) const NAMES: &[(Error, &str)] = &[$(($name, stringify!($name))),+];
        };
    }

    errors! {
        EPERM = 1,
        ESRCH = 3,
        EINTR = 4,
        EIO = 5,
        EBADF = 9,
        EAGAIN = 11,
        ENOMEM = 12,
        EACCES = 13,
        EFAULT = 14,
        EBUSY = 16,
        EINVAL = 22,
        ENOSPC = 28,
        EOPNOTSUPP = 95,
        EHWPOISON = 133,
        ERESTARTNOINTR = 513,
    }
}
