// SPDX-License-Identifier: GPL-2.0

//! What the kernel's crate of this name has, as far as it is used.

use proc_macro::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// Leaves a function as it is: its signature is compared with that of C in the kernel only.
#[proc_macro_attribute]
pub fn export(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Makes one identifier of those in `[< >]`.
#[proc_macro]
pub fn paste(input: TokenStream) -> TokenStream {
    input
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => paste_group(&group),
            other => other,
        })
        .collect()
}

fn paste_group(group: &Group) -> TokenTree {
    let tokens: Vec<String> = group.stream().into_iter().map(|t| t.to_string()).collect();
    let names = match tokens.as_slice() {
        [open, names @ .., close]
            if group.delimiter() == Delimiter::Bracket && open == "<" && close == ">" =>
        {
            names
        }
        _ => {
            let mut output = Group::new(group.delimiter(), paste(group.stream()));
            output.set_span(group.span());
            return output.into();
        }
    };
    Ident::new(&names.concat(), group.span()).into()
}
