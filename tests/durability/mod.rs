//! What is promised to be durable is: seen from the system calls of the program, whatever layer they come from.

mod commands;
mod damage;
mod faults;
mod folding;
mod killed;
mod order;
mod replay;
mod salvage;
mod synced;
mod trace;
