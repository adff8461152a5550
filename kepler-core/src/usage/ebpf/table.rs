//! The kernel's tables, read and written through the `bpf(2)` system call.
//!
//! aya loads the program and creates the tables, but reads them entry by entry, two system calls each,
//! and allocates for every look-up of a per-processor value. Here a table is emptied by a few calls
//! (`BPF_MAP_LOOKUP_AND_DELETE_BATCH`, Linux 5.6), and nothing is allocated after the first of them.
#![allow(unsafe_code, reason = "system calls that no crate in use offers")]

use aya::maps::MapData;
use std::io;
use std::marker::PhantomData;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Types that the kernel may write any bytes into.
///
/// # Safety
/// `repr(C)`, made of integers only, without padding.
pub(super) unsafe trait Plain: Copy + Default {}

// SAFETY: an integer.
unsafe impl Plain for u32 {}

/// Commands of `bpf(2)`, `include/uapi/linux/bpf.h`.
const LOOKUP: libc::c_long = 1;
const UPDATE: libc::c_long = 2;
const NEXT_KEY: libc::c_long = 4;
const LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;

/// The arguments of one entry's commands.
#[repr(C)]
struct OneEntry {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The arguments of a batch's commands.
#[repr(C)]
struct Batch {
    from: u64,
    upto: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    entry_flags: u64,
    flags: u64,
}

fn bpf<A>(command: libc::c_long, arguments: &mut A) -> io::Result<()> {
    // SAFETY: `arguments` is laid out as the kernel's `union bpf_attr` for the commands above, the size
    // given is its size, and the pointers in it are to memory that the caller holds for as long as this
    // call takes and that is large enough for what the command reads or writes there.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(arguments), size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives memory that is free back to the system: reading the kernel's types takes tens of megabytes for a moment,
/// which the allocator would keep.
pub(super) fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn descriptor(map: &MapData) -> u32 {
    map.fd().as_fd().as_raw_fd().cast_unsigned()
}

/// A hash table that is emptied as a whole.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    map: MapData,
    keys: Vec<K>,
    values: Vec<V>,
}

/// Entries taken out by one system call.
const BATCH: usize = 1024;

/// Keys listed at most.
const MOST_KEYS: usize = 65_536;

impl<K: Plain, V: Plain> Table<K, V> {
    /// A table whose keys and values have these types.
    pub(super) fn new(map: MapData) -> io::Result<Self> {
        check(&map, size_of::<K>(), size_of::<V>())?;
        Ok(Table { map, keys: Vec::new(), values: Vec::new() })
    }

    /// The keys of all entries.
    pub(super) fn keys(&self) -> io::Result<Vec<K>> {
        let mut keys: Vec<K> = Vec::new();
        // An entry that goes meanwhile has the kernel begin again at the front.
        while keys.len() < MOST_KEYS {
            let mut next = K::default();
            let before = keys.last().map_or(0, |key| std::ptr::from_ref(key) as u64);
            // The kernel takes the key to go on from as `key`, and writes the one after it where `value` points.
            let value = std::ptr::from_mut(&mut next) as u64;
            match bpf(NEXT_KEY, &mut OneEntry { map: descriptor(&self.map), padding: 0, key: before, value, flags: 0 })
            {
                Ok(()) => keys.push(next),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Takes all entries out, calling `each` for every one.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&K, &V)) -> io::Result<()> {
        self.keys.resize(BATCH, K::default());
        self.values.resize(BATCH, V::default());
        // Where a call stopped and the next one goes on: the number of a bucket.
        let mut position = 0u32;
        let mut is_first = true;
        loop {
            let mut batch = Batch {
                from: if is_first { 0 } else { std::ptr::from_ref(&position) as u64 },
                upto: std::ptr::from_mut(&mut position) as u64,
                keys: self.keys.as_mut_ptr() as u64,
                values: self.values.as_mut_ptr() as u64,
                count: BATCH as u32,
                map: descriptor(&self.map),
                entry_flags: 0,
                flags: 0,
            };
            let result = bpf(LOOKUP_AND_DELETE_BATCH, &mut batch);
            // `NotFound` says that the end is reached; what was taken out last came with it.
            let count = match &result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => 0,
                _ => (batch.count as usize).min(BATCH),
            };
            for (key, value) in self.keys.iter().zip(&self.values).take(count) {
                each(key, value);
            }
            match result {
                Ok(()) => is_first = false,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A table of numbered values.
#[derive(Debug)]
pub(super) struct Array<V> {
    map: MapData,
    kind: PhantomData<V>,
}

impl<V: Plain> Array<V> {
    pub(super) fn new(map: MapData) -> io::Result<Self> {
        check(&map, size_of::<u32>(), size_of::<V>())?;
        Ok(Array { map, kind: PhantomData })
    }

    /// Writes one value, each of its 64-bit words at once.
    pub(super) fn write(&self, key: u32, value: &V) -> io::Result<()> {
        let (key, value) = (std::ptr::from_ref(&key) as u64, std::ptr::from_ref(value) as u64);
        bpf(UPDATE, &mut OneEntry { map: descriptor(&self.map), padding: 0, key, value, flags: 0 })
    }
}

/// A table of one value for each processor that there may ever be.
#[derive(Debug)]
pub(super) struct PerCpu<V> {
    map: MapData,
    values: Vec<V>,
}

impl<V: Plain> PerCpu<V> {
    pub(super) fn new(map: MapData, processors: usize) -> io::Result<Self> {
        check(&map, size_of::<u32>(), size_of::<V>())?;
        // The kernel rounds each value up to a multiple of eight bytes.
        if !size_of::<V>().is_multiple_of(8) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(PerCpu { map, values: vec![V::default(); processors] })
    }

    /// The values now, one a processor.
    pub(super) fn read(&mut self) -> io::Result<&[V]> {
        self.access(LOOKUP)?;
        Ok(&self.values)
    }

    /// Changes all of the values.
    pub(super) fn write(&mut self, mut each: impl FnMut(usize, &mut V)) -> io::Result<()> {
        for (processor, value) in self.values.iter_mut().enumerate() {
            each(processor, value);
        }
        self.access(UPDATE)
    }

    fn access(&mut self, command: libc::c_long) -> io::Result<()> {
        let key = 0u32;
        let (key, value) = (std::ptr::from_ref(&key) as u64, self.values.as_mut_ptr() as u64);
        bpf(command, &mut OneEntry { map: descriptor(&self.map), padding: 0, key, value, flags: 0 })
    }
}

/// Makes sure that what the kernel writes fits what we read.
fn check(map: &MapData, key: usize, value: usize) -> io::Result<()> {
    let info = map.info().map_err(io::Error::other)?;
    if (info.key_size() as usize, info.value_size() as usize) == (key, value) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "a table of the BPF program has another layout"))
    }
}
