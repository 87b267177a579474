//! Implements wit/world.wit.
//!
//! Without crates: the Canonical ABI by hand. With Cargo at hand, `wit_bindgen::generate!({ path: "wit" })` does it.

use std::alloc::{alloc, realloc, Layout};

fn slug(title: &str) -> String {
    let lower = title.to_ascii_lowercase();
    let words = lower.split(|each: char| !each.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// A string is its address and its length. A result of two values is given by its address.
static mut RESULT: [usize; 2] = [0, 0];

/// # Safety
/// The host gives what `cabi_realloc` has made, filled with a text.
#[export_name = "slug"]
pub unsafe extern "C" fn slug_lifted(title: *mut u8, size: usize) -> *const [usize; 2] {
    let title = String::from_raw_parts(title, size, size);
    let result = slug(&title).into_bytes().into_boxed_slice();
    RESULT = [result.as_ptr() as usize, result.len()];
    std::mem::forget(result);
    std::ptr::addr_of!(RESULT)
}

/// Is called when the host has read the result.
///
/// # Safety
/// The result is that of `slug`.
#[export_name = "cabi_post_slug"]
pub unsafe extern "C" fn slug_done(_result: *const [usize; 2]) {
    let [address, size] = RESULT;
    drop(Vec::from_raw_parts(address as *mut u8, size, size));
}

/// Room in which the host puts what it passes.
///
/// # Safety
/// The old block is one of this function's, or none.
#[no_mangle]
pub unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    let made = match (old_size, size) {
        (_, 0) => return align as *mut u8,
        (0, _) => alloc(Layout::from_size_align_unchecked(size, align)),
        _ => realloc(old, Layout::from_size_align_unchecked(old_size, align), size),
    };
    if made.is_null() {
        core::arch::wasm32::unreachable()
    }
    made
}
