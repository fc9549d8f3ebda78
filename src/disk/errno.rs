//! The system's error number inside an error that names a path.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// The number the system gave, however deep it lies in errors that wrap each other. Without one: `ENOSPC` for a full
/// disk, `EINTR` and `EAGAIN` for what they are, `EIO` for everything else.
#[must_use]
pub fn errno(error: &io::Error) -> i32 {
    if let Some(number) = error.raw_os_error() {
        return number;
    }
    let mut inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    while let Some(this) = inner {
        if let Some(number) = this.downcast_ref::<io::Error>().map(errno) {
            return number;
        }
        inner = this.source();
    }
    let number = match error.kind() {
        io::ErrorKind::StorageFull => Errno::NOSPC,
        io::ErrorKind::QuotaExceeded => Errno::DQUOT,
        io::ErrorKind::NotFound => Errno::NOENT,
        io::ErrorKind::Interrupted => Errno::INTR,
        io::ErrorKind::WouldBlock => Errno::AGAIN,
        _ => Errno::IO,
    };
    number.raw_os_error()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_number_is_found_below_the_path() {
        let full = io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error());
        let wrapped = super::super::real::at(Path::new("/a"), super::super::real::at(Path::new("/b"), full));
        assert_eq!(errno(&wrapped), Errno::NOSPC.raw_os_error());
        assert!(wrapped.to_string().contains("`/a`"));
    }

    #[test]
    fn an_error_without_a_number_is_an_input_output_error() {
        assert_eq!(errno(&io::ErrorKind::UnexpectedEof.into()), Errno::IO.raw_os_error());
    }
}
