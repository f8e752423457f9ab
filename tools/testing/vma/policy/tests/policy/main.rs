// SPDX-License-Identifier: GPL-2.0

//! The tests of the policy.

mod differential;
mod faults;
mod guards;
mod large;
#[cfg(CONFIG_ANON_VMA_NAME)]
mod names;
mod operation;
mod oracle;
mod populate;
mod process;
mod smaps;
mod userfaultfd;
mod world;
