//! What a PTX text says of its kernels: their names, and how wide each argument is.

use std::collections::HashMap;

/// Widths of a kernel's arguments in bytes.
pub type Arguments = Vec<usize>;

/// Every kernel of a text.
pub fn kernels(text: &str) -> HashMap<String, Arguments> {
    let entries = text.match_indices(".entry").filter_map(|(at, word)| {
        let rest = text[at + word.len()..].trim_start();
        let end = rest.find(|c: char| c == '(' || c == '{' || c.is_whitespace())?;
        let (name, rest) = rest.split_at(end);
        let rest = rest.trim_start();
        let Some(list) = rest.strip_prefix('(') else { return Some((name, Vec::new())) };
        let list = list.split_once(')')?.0;
        let arguments = list.split(',').filter(|a| !a.trim().is_empty()).map(width);
        Some((name, arguments.collect::<Option<_>>()?))
    });
    entries.map(|(name, arguments)| (name.to_owned(), arguments)).collect()
}

/// Of `.param .u64 .ptr .global .align 4 name` or `.param .align 8 .b8 name[24]`.
fn width(argument: &str) -> Option<usize> {
    let mut bits = None;
    for word in argument.split_whitespace() {
        let number = word.strip_prefix('.').and_then(|word| word.get(1..)).map(str::parse);
        if let (Some(Ok(number)), Some("u" | "s" | "b" | "f")) = (number, word.get(1..2)) {
            bits = Some(number);
        }
    }
    let each: usize = bits?;
    let count = match argument.split_once('[') {
        Some((_, count)) => count.split_once(']')?.0.trim().parse().ok()?,
        None => 1,
    };
    (each / 8).checked_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_widths_of_arguments_are_read() {
        let text = "
.version 9.0
.target sm_90
.visible .entry affine_f32(
	.param .u64 affine_f32_param_0,
	.param .u64 .ptr .global .align 4 affine_f32_param_1,
	.param .f32 affine_f32_param_2,
	.param .align 8 .b8 affine_f32_param_3[24]
)
.maxntid 1024
{ ret; }
.entry nothing()
{ ret; }
.visible .entry bare { ret; }
";
        let kernels = kernels(text);
        assert_eq!(kernels["affine_f32"], [8, 8, 4, 24]);
        assert!(kernels["nothing"].is_empty());
        assert!(kernels["bare"].is_empty());
        assert_eq!(kernels.len(), 3);
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        assert!(kernels(".entry a(.param .texref t)").is_empty());
        assert!(kernels(".entry").is_empty());
        assert!(kernels(".entry a(.param .b8 x[y])").is_empty());
    }
}
