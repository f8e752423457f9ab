// SPDX-License-Identifier: GPL-2.0

//! The tests of the policy.

mod differential;
mod operation;
mod oracle;
mod world;
