//! The `aether` command.

fn main() -> aether::cli::Exit {
    aether::cli::main(std::env::args_os().collect())
}
