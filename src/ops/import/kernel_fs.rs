//! Which file systems show the state of the kernel instead of files.

/// Whether a file system with this magic number (`statfs(2)`, `include/uapi/linux/magic.h`) shows kernel state.
pub(super) fn is_kernel_file_system(magic: u64) -> bool {
    const KERNEL: [u64; 22] = [
        0x9fa0,      // proc
        0x6265_6572, // sysfs
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x1cd1,      // devpts
        0xcafe_4a11, // bpf
        0x7363_6673, // securityfs
        0x6265_6570, // configfs
        0x6165_676c, // pstore
        0xde5e_81e4, // efivarfs
        0x1980_0202, // mqueue
        0x4249_4e4d, // binfmt_misc
        0x6573_5543, // fusectl
        0xf97c_ff8c, // selinuxfs
        0x4341_5d53, // smackfs
        0x0187,      // autofs
        0x6e73_6673, // nsfs
        0x5049_4446, // pidfs
        0x6759_6969, // rpc_pipefs
        0x0bad_1dea, // futexfs
    ];
    KERNEL.contains(&magic)
}
