//! The products of a CSAF document: what each id stands for.

use std::collections::HashMap;

use crate::map::distribution::{self, Release};
use crate::map::purl::Purl;
use crate::version::Scheme;

use super::document::{Branch, Product, Tree};

/// How many products one product is part of, one within the other: a package, of a module, of a
/// system.
const DEEPEST: usize = 8;

/// All products by id.
#[derive(Default)]
pub(super) struct Products<'a> {
    named: HashMap<&'a str, Named<'a>>,
    /// Of a product that is part of another: the part, and the whole.
    parts: HashMap<&'a str, (&'a str, &'a str)>,
}

#[derive(Clone, Copy, Default)]
struct Named<'a> {
    name: &'a str,
    purl: &'a str,
    cpe: &'a str,
    /// A `vers:` range.
    range: &'a str,
}

/// What a product id stands for.
#[derive(Debug, Default)]
pub(super) struct Resolved<'a> {
    /// The package's own id, where it has no purl.
    pub(super) id: &'a str,
    /// As it is written; empty where there is none.
    pub(super) purl: &'a str,
    /// A `vers:` range, or empty.
    pub(super) range: &'a str,
    /// The operating system that it is part of.
    pub(super) release: Option<Release>,
    /// `module:stream`, or empty.
    pub(super) module: String,
}

impl<'a> Products<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        let mut products = Self::default();
        for branch in tree.branches.iter() {
            products.branch(branch, "");
        }
        for product in tree.full_product_names.iter() {
            products.name(product, "");
        }
        for relationship in tree.relationships.iter() {
            products.name(&relationship.full_product_name, "");
            products.parts.insert(
                &relationship.full_product_name.product_id,
                (
                    &relationship.product_reference,
                    &relationship.relates_to_product_reference,
                ),
            );
        }
        products
    }

    /// No deeper than the reader lets documents nest.
    fn branch(&mut self, branch: &'a Branch, range: &'a str) {
        let range = if &*branch.category == "product_version_range" {
            &branch.name
        } else {
            range
        };
        self.name(&branch.product, range);
        for inner in branch.branches.iter() {
            self.branch(inner, range);
        }
    }

    fn name(&mut self, product: &'a Product, range: &'a str) {
        if product.product_id.is_empty() {
            return;
        }
        let helper = &product.product_identification_helper;
        let purl = if helper.purl.is_empty() {
            helper.purls.first().map_or("", |purl| &**purl)
        } else {
            &helper.purl
        };
        self.named.insert(
            &product.product_id,
            Named {
                name: &product.name,
                purl,
                cpe: &helper.cpe,
                range,
            },
        );
    }

    /// What people call the product; its id where nothing does.
    pub(super) fn label(&self, id: &'a str) -> &'a str {
        let name = self.named.get(id).map_or("", |named| named.name);
        if name.is_empty() { id } else { name }
    }

    pub(super) fn resolve(&self, id: &'a str) -> Resolved<'a> {
        let mut resolved = Resolved {
            id,
            ..Resolved::default()
        };
        let mut wholes = Vec::new();
        let mut at = id;
        for _ in 0..DEEPEST {
            let own = self.named.get(at).copied().unwrap_or_default();
            if resolved.purl.is_empty() {
                resolved.purl = own.purl;
            }
            if resolved.range.is_empty() {
                resolved.range = own.range;
            }
            wholes.push(at);
            let Some((part, whole)) = self.parts.get(at) else {
                break;
            };
            wholes.push(whole);
            at = part;
            resolved.id = part;
        }
        // From the inside out: what the package is part of, and what that is part of.
        let mut left = DEEPEST;
        while let Some(at) = wholes.pop() {
            if left == 0 {
                break;
            }
            left -= 1;
            if let Some(named) = self.named.get(at) {
                if resolved.release.is_none() {
                    resolved.release = distribution::of_cpe(named.cpe);
                }
                self.module(named.purl, &mut resolved);
            }
            if at != id
                && let Some((part, whole)) = self.parts.get(at)
            {
                wholes.extend([*part, *whole]);
            }
        }
        let of_package = Purl::parse(resolved.purl);
        if let Some(module) = of_package.as_ref().map(|purl| purl.qualifier("rpmmod"))
            && !module.is_empty()
        {
            resolved.module = stream(module);
        }
        resolved
    }

    fn module(&self, purl: &str, resolved: &mut Resolved<'a>) {
        if !resolved.module.is_empty() || !purl.starts_with("pkg:rpmmod/") {
            return;
        }
        if let Some(purl) = Purl::parse(purl) {
            resolved.module = stream(&format!("{}:{}", purl.name, purl.version));
        }
    }
}

/// The first two parts of `module:stream:version:context`.
fn stream(module: &str) -> String {
    module.split(':').take(2).collect::<Vec<_>>().join(":")
}

/// A package of an operating system.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// With its epoch; empty where there is none.
    pub(super) version: String,
    /// Empty for all.
    pub(super) arch: String,
}

impl Resolved<'_> {
    /// The package, where it is one of an operating system. Documents without purls name packages as
    /// files are: `name-version-release.arch`.
    pub(super) fn package(&self, scheme: Scheme) -> Option<Package> {
        if let Some(purl) = Purl::parse(self.purl) {
            if !matches!(purl.kind.as_str(), "rpm" | "deb" | "apk") {
                return None;
            }
            let epoch = purl.qualifier("epoch");
            let has_epoch = purl.version.contains(':') || epoch.is_empty() || epoch == "0";
            return Some(Package {
                version: if has_epoch || purl.version.is_empty() {
                    purl.version.clone()
                } else {
                    format!("{epoch}:{}", purl.version)
                },
                arch: purl.qualifier("arch").to_owned(),
                name: purl.name,
            });
        }
        if scheme != Scheme::Rpm {
            return None;
        }
        let (rest, arch) = self.id.rsplit_once('.')?;
        let (rest, release) = rest.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        let is_arch = arch.starts_with(|c: char| c.is_ascii_alphabetic())
            && arch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        (is_arch && is_version && !name.is_empty()).then(|| Package {
            name: name.to_owned(),
            version: format!("{version}-{release}"),
            arch: arch.to_owned(),
        })
    }
}
