// SPDX-License-Identifier: GPL-2.0

//! The lines `VmFlags` and `Guard` of `/proc/PID/smaps`.
//!
//! C header: [`include/linux/rust_vma.h`](srctree/vma/include/linux/rust_vma.h)

#![deny(unsafe_code)]

use kernel::{
    bindings, c_str,
    mm::{virt::vm_flags_t, VmFlags},
    prelude::*,
    seq_file::SeqFile,
};

/// What is printed for a flag.
#[derive(Copy, Clone)]
enum Mnemonic {
    /// Two letters.
    Letters([u8; 2]),
    /// Nothing, as another line of smaps tells it.
    Silent,
}

const BITS: usize = vm_flags_t::BITS as usize;

/// What is printed for each bit. Documented in `Documentation/filesystems/proc.rst`.
static MNEMONICS: [Mnemonic; BITS] = mnemonics();

const fn mnemonics() -> [Mnemonic; BITS] {
    /// Enters `mnemonic` for `flag`, unless the architecture or configuration lacks the flag. What
    /// comes later wins, so that the name of a bit that the architecture uses comes last.
    const fn enter(table: &mut [Mnemonic; BITS], flag: VmFlags, mnemonic: Mnemonic) {
        if !flag.is_empty() {
            table[flag.bits().trailing_zeros() as usize] = mnemonic;
        }
    }

    let mut table = [Mnemonic::Letters(*b"??"); BITS];
    macro_rules! letters {
        ($($flag:ident $letters:literal),+ $(,)?) => {
            $(enter(&mut table, VmFlags::$flag, Mnemonic::Letters(*$letters));)+
        };
    }
    macro_rules! silent {
        ($($flag:ident),+ $(,)?) => {
            $(enter(&mut table, VmFlags::$flag, Mnemonic::Silent);)+
        };
    }
    letters! {
        READ b"rd",
        WRITE b"wr",
        EXEC b"ex",
        SHARED b"sh",
        MAYREAD b"mr",
        MAYWRITE b"mw",
        MAYEXEC b"me",
        MAYSHARE b"ms",
        GROWSDOWN b"gd",
        UFFD_MISSING b"um",
        PFNMAP b"pf",
        MAYBE_GUARD b"gu",
        UFFD_WP b"uw",
        LOCKED b"lo",
        IO b"io",
        SEQ_READ b"sr",
        RAND_READ b"rr",
        DONTCOPY b"dc",
        DONTEXPAND b"de",
        LOCKONFAULT b"lf",
        ACCOUNT b"ac",
        NORESERVE b"nr",
        HUGETLB b"ht",
        SYNC b"sf",
        ARCH_1 b"ar",
        WIPEONFORK b"wf",
        DONTDUMP b"dd",
        SOFTDIRTY b"sd",
        MIXEDMAP b"mm",
        HUGEPAGE b"hg",
        NOHUGEPAGE b"nh",
        MERGEABLE b"mg",
        MTE b"mt",
        UFFD_MINOR b"ui",
        SHADOW_STACK b"ss",
        DROPPABLE b"dp",
        SEALED b"sl",
        UFFD_RWP b"ur",
    }
    if cfg!(CONFIG_ARM64_BTI) {
        letters!(ARM64_BTI b"bt");
    }
    // The line `ProtectionKey` tells the key.
    silent! {
        MTE_ALLOWED,
        PKEY_BIT0,
        PKEY_BIT1,
        PKEY_BIT2,
        PKEY_BIT3,
        PKEY_BIT4,
    }
    table
}

/// A line of text in the making.
struct Line {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Line {
    const HEAD: &'static [u8] = b"VmFlags: ";

    /// The line of a VMA with every flag: the head, two letters and a blank each, and the end.
    const MAX: usize = Self::HEAD.len() + 3 * BITS + 1;

    const fn new() -> Self {
        Self {
            bytes: [0; Self::MAX],
            len: 0,
        }
    }

    /// Appends `text`, which fits by the choice of [`Line::MAX`].
    fn push(&mut self, text: &[u8]) {
        if let Some(free) = self.bytes.get_mut(self.len..self.len + text.len()) {
            free.copy_from_slice(text);
            self.len += text.len();
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Makes the line for a VMA with `flags`.
fn vm_flags_line(flags: VmFlags) -> Line {
    let mut line = Line::new();
    line.push(Line::HEAD);
    for bit in flags.set_bits() {
        if let Some(Mnemonic::Letters([a, b])) = MNEMONICS.get(bit) {
            line.push(&[*a, *b, b' ']);
        }
    }
    line.push(b"\n");
    line
}

/// Prints the `VmFlags` line of a VMA.
///
/// C: `show_smap_vma_flags()` of `fs/proc/task_mmu.c`.
///
/// # Safety
///
/// `m` must be valid and used by this thread only.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn show_smap_vm_flags(m: *mut bindings::seq_file, vm_flags: vm_flags_t) {
    // SAFETY: The caller promises that the file is valid and not shared.
    let m = unsafe { SeqFile::from_raw(m) };
    m.write(vm_flags_line(VmFlags::from_bits(vm_flags)).as_bytes());
}

/// Prints the `Guard` line of a VMA, whose guard regions are `size` bytes.
///
/// Readers of smaps want the same lines for each VMA, so that one without guard regions has it,
/// too.
///
/// # Safety
///
/// `m` must be valid and used by this thread only.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn show_smap_guard(m: *mut bindings::seq_file, size: usize) {
    // SAFETY: The caller promises that the file is valid and not shared.
    let m = unsafe { SeqFile::from_raw(m) };
    if size == 0 {
        m.write(b"Guard:                 0 kB\n");
    } else {
        // CAST: No size has more than 64 bits.
        m.put_decimal(c_str!("Guard:          "), (size >> 10) as u64, 8);
        m.write(b" kB\n");
    }
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[allow(unsafe_code)]
#[kernel::macros::kunit_tests(rust_vma_smaps)]
mod tests {
    use super::*;
    use kernel::{
        mm::{kunit::UserMemory, madv},
        page::PAGE_SIZE,
    };

    fn prints(flags: VmFlags, expected: &[u8]) -> bool {
        vm_flags_line(flags).as_bytes() == expected
    }

    #[test]
    fn no_flags() {
        assert!(prints(VmFlags::NONE, b"VmFlags: \n"));
    }

    #[test]
    fn order_is_that_of_the_bits() {
        assert!(prints(VmFlags::READ, b"VmFlags: rd \n"));
        assert!(prints(
            VmFlags::ACCOUNT | VmFlags::MAYBE_GUARD | VmFlags::DATA_FLAGS_NON_EXEC,
            b"VmFlags: rd wr mr mw me gu ac \n"
        ));
        assert!(prints(
            VmFlags::UFFD_WP | VmFlags::MAYBE_GUARD | VmFlags::PFNMAP,
            b"VmFlags: pf gu uw \n"
        ));
    }

    #[test]
    fn low_bits_as_in_c() {
        assert!(prints(
            VmFlags::from_bits(0x00ff_ffff),
            b"VmFlags: rd wr ex sh mr mw me ms gd um pf gu uw lo io sr rr dc de lf ac nr ht sf \n"
        ));
    }

    /// What C prints for each bit from 24, in the configurations of `configs/`.
    #[cfg(any(
        all(
            CONFIG_X86_64,
            CONFIG_ARCH_HAS_PKEYS,
            CONFIG_MEM_SOFT_DIRTY,
            CONFIG_X86_USER_SHADOW_STACK
        ),
        all(
            CONFIG_ARM64_BTI,
            CONFIG_ARM64_GCS,
            CONFIG_ARM64_MTE,
            CONFIG_ARCH_HAS_PKEYS
        ),
        CONFIG_ARM
    ))]
    #[test]
    fn high_bits_as_in_c() {
        const UNKNOWN: &[u8] = b"?? ";
        let known: &[u8] = if cfg!(CONFIG_X86_64) {
            b"ar wf dd sd mm hg nh mg ?? ss ?? ?? dp ui sl "
        } else if cfg!(CONFIG_ARM64) {
            b"bt wf dd ?? mm hg nh mg ?? mt ss ?? dp ui sl "
        } else {
            b"ar wf dd ?? mm hg nh mg "
        };
        let line = vm_flags_line(VmFlags::from_bits(!0x00ff_ffff) - VmFlags::UFFD_RWP);
        let Some(rest) = line
            .as_bytes()
            .strip_prefix(Line::HEAD)
            .and_then(|rest| rest.strip_prefix(known))
            .and_then(|rest| rest.strip_suffix(b"\n"))
        else {
            assert!(false);
            return;
        };
        let has_rwp = !VmFlags::UFFD_RWP.is_empty();
        let unknown = BITS.saturating_sub(43) - usize::from(has_rwp);
        assert_eq!(rest.len(), 3 * unknown);
        assert!(!has_rwp || prints(VmFlags::UFFD_RWP, b"VmFlags: ur \n"));
        assert!(rest.chunks(3).all(|letters| letters == UNKNOWN));
    }

    #[test]
    fn protection_keys_are_silent() {
        let keys = VmFlags::PKEY_BIT0 | VmFlags::PKEY_BIT1 | VmFlags::PKEY_BIT2;
        assert!(prints(keys | VmFlags::PKEY_BIT3, b"VmFlags: \n"));
    }

    #[test]
    fn every_flag_at_once_fits() {
        let line = vm_flags_line(!VmFlags::NONE);
        assert_eq!(line.as_bytes().last(), Some(&b'\n'));
    }

    /// What `print` prints.
    fn shown(print: impl FnOnce(*mut bindings::seq_file) -> Result) -> Result<KVec<u8>> {
        const SIZE: usize = PAGE_SIZE;

        let mut buffer = KVec::from_elem(0u8, SIZE, GFP_KERNEL)?;
        let mut file = bindings::seq_file {
            buf: buffer.as_mut_ptr().cast(),
            size: SIZE,
            ..Default::default()
        };
        print(&mut file)?;
        buffer.truncate(file.count);
        Ok(buffer)
    }

    /// The flags of the first VMA of the memory.
    fn shown_flags(memory: &UserMemory) -> Result<KVec<u8>> {
        let flags = memory.with_vma(0, |vma| vma.flags())?;
        shown(|m| {
            // SAFETY: The file has its buffer and is not shared.
            unsafe { show_smap_vm_flags(m, flags) };
            Ok(())
        })
    }

    fn shown_guard(size: usize) -> Result<KVec<u8>> {
        shown(|m| {
            // SAFETY: The file has its buffer and is not shared.
            unsafe { show_smap_guard(m, size) };
            Ok(())
        })
    }

    fn install_guard(memory: &UserMemory) {
        // CAST: The advice is a small number.
        let (addr, advice) = (memory.addr(1), madv::MADV_GUARD_INSTALL as c_int);
        let result = memory.with_mm(|mm| {
            // SAFETY: The address space is that of this thread, which holds no lock of it.
            unsafe { bindings::do_madvise(mm.as_raw(), addr, PAGE_SIZE, advice) }
        });
        assert_eq!(result, 0);
    }

    #[test]
    fn guards_are_shown_where_there_are_none_too() -> Result {
        assert!(&*shown_guard(0)? == b"Guard:                 0 kB\n");
        assert!(&*shown_guard(3 << 10)? == b"Guard:                 3 kB\n");
        assert!(&*shown_guard(1 << 31)? == b"Guard:           2097152 kB\n");
        Ok(())
    }

    fn has_letters(line: &[u8], letters: &[u8]) -> bool {
        line.split(|byte| *byte == b' ').any(|word| word == letters)
    }

    #[test]
    fn a_real_vma_shows_its_guards() -> Result {
        let memory = UserMemory::map(4, false)?;
        let before = shown_flags(&memory)?;
        assert!(before.starts_with(b"VmFlags: rd wr mr mw me "));
        assert!(before.ends_with(b"\n"));
        assert!(!has_letters(&before, b"gu"));

        install_guard(&memory);
        let after = shown_flags(&memory)?;
        assert!(has_letters(&after, b"gu"));
        let others = |line: &[u8]| line.split(|byte| *byte == b' ').count();
        assert_eq!(others(&after), others(&before) + 1);
        Ok(())
    }
}
