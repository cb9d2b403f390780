//! Versions as the scanner compares them.
//!
//! Trivy compares with a library an ecosystem, and each has its own idea of what a version is, of the
//! order, and of what a constraint may say. A constraint that its library refuses silences the whole
//! advisory, so nothing is written that was not checked here first. These are models of those
//! libraries (`aquasecurity/go-version`, `go-npm-version`, `go-pep440-version`, `go-gem-version`,
//! `masahiro331/go-mvn-version`, `bitnami/go-version`, `knqyf263/go-{deb,rpm,apk}-version`), quirks
//! included where a version can meet them.

mod apk;
mod bitnami;
mod constraint;
mod dpkg;
mod generic;
#[cfg(test)]
mod golden;
mod identifier;
mod maven;
mod npm;
mod pep440;
mod rpm;
mod rubygems;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;

use thiserror::Error;

use self::constraint::{Element, Op};

/// The longest version that is compared. Longer ones are nobody's, and cost time.
const LONGEST: usize = 1024;

/// A library that compares versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Python.
    Pep440,
    /// JavaScript: semantic versions of exactly three numbers.
    Npm,
    /// Everything that has no library of its own: any number of numbers, then a pre-release.
    Generic,
    /// Java.
    Maven,
    /// Ruby, and `CocoaPods`.
    RubyGems,
    /// Bitnami: three numbers and a revision.
    Bitnami,
    /// Debian, Ubuntu; Amazon Linux, too.
    Dpkg,
    /// Red Hat and what descends from it, SUSE, Photon, Azure Linux.
    Rpm,
    /// Alpine, Wolfi, Chainguard.
    Apk,
}

/// Text that a library does not take for a version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("reading {text:?} as a version of {scheme:?}: it is none")]
pub struct NotAVersion {
    /// What was read.
    pub text: String,
    /// By whose rules.
    pub scheme: Scheme,
}

/// Text that a library does not take for a constraint. It would silence the advisory it stands in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("reading {text:?} as a constraint of {scheme:?}: it is none")]
pub struct NotAConstraint {
    /// What was read.
    pub text: String,
    /// By whose rules.
    pub scheme: Scheme,
}

/// Why versions and constraints could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CannotCompare {
    /// The version is none.
    #[error(transparent)]
    Version(#[from] NotAVersion),
    /// A constraint is none.
    #[error(transparent)]
    Constraint(#[from] NotAConstraint),
}

/// A version. Versions of different schemes have an order too, but it means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Parsed);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Parsed {
    Pep440(pep440::Version),
    Npm(npm::Version),
    Generic(generic::Version),
    Maven(maven::Version),
    RubyGems(rubygems::Version),
    Bitnami(bitnami::Version),
    Dpkg(dpkg::Version),
    Rpm(rpm::Version),
    Apk(apk::Version),
}

impl Scheme {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// [`NotAVersion`], where the library refuses it, or it is longer than 1,024 bytes.
    pub fn parse(self, text: &str) -> Result<Version, NotAVersion> {
        let parsed = if text.len() > LONGEST {
            None
        } else {
            match self {
                Self::Pep440 => pep440::parse(text).map(Parsed::Pep440),
                Self::Npm => npm::parse(text).map(Parsed::Npm),
                Self::Generic => generic::parse(text).map(Parsed::Generic),
                Self::Maven => maven::parse(text).map(Parsed::Maven),
                Self::RubyGems => rubygems::parse(text).map(Parsed::RubyGems),
                Self::Bitnami => bitnami::parse(text).map(Parsed::Bitnami),
                Self::Dpkg => dpkg::parse(text).map(Parsed::Dpkg),
                Self::Rpm => rpm::parse(text).map(Parsed::Rpm),
                Self::Apk => apk::parse(text).map(Parsed::Apk),
            }
        };
        parsed.map(Version).ok_or_else(|| NotAVersion {
            text: text.to_owned(),
            scheme: self,
        })
    }

    /// How a version is written so that a constraint with it means this version and no other, and
    /// the version itself. `npm` takes `1.2` for any `1.2.x`, Python's library takes only lower case.
    ///
    /// # Errors
    ///
    /// [`NotAVersion`], where no way of writing it is one.
    pub fn bound(self, text: &str) -> Result<(Cow<'_, str>, Version), NotAVersion> {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let written = match self {
            Self::Pep440 => pep440::bound(text),
            Self::Npm | Self::Bitnami => npm::bound(text),
            Self::Maven | Self::Generic | Self::RubyGems | Self::Dpkg | Self::Rpm | Self::Apk => {
                Some(Cow::Borrowed(text))
            }
        };
        let refused = || NotAVersion {
            text: text.to_owned(),
            scheme: self,
        };
        let written = written.ok_or_else(refused)?;
        let version = self.parse(&written)?;
        if self.has_constraints() && self.constraint(&written).is_err() {
            return Err(refused());
        }
        Ok((written, version))
    }

    /// Whether advisories of this scheme have constraints at all; packages of operating systems have
    /// only the version that has the fix.
    fn has_constraints(self) -> bool {
        !matches!(self, Self::Dpkg | Self::Rpm | Self::Apk)
    }

    /// Whether the library takes `text` as one element of `VulnerableVersions`.
    ///
    /// # Errors
    ///
    /// [`NotAConstraint`], where it does not.
    pub fn constraint(self, text: &str) -> Result<(), NotAConstraint> {
        self.admits(text, None).map(|_| ())
    }

    /// Whether the version satisfies one of the constraints, as the library says.
    ///
    /// # Errors
    ///
    /// [`CannotCompare`], where the version or any constraint is none.
    pub fn matches(self, constraints: &[String], version: &str) -> Result<bool, CannotCompare> {
        let version = self.parse(version)?;
        let mut any = false;
        for constraint in constraints {
            any |= self.admits(constraint, Some(&version))?;
        }
        Ok(any)
    }

    /// Whether the scanner reports a package of this version for an advisory with these
    /// `VulnerableVersions` and `PatchedVersions`.
    ///
    /// # Errors
    ///
    /// [`CannotCompare`]: the scanner warns, and reports nothing.
    pub fn vulnerable(
        self,
        vulnerable: &[String],
        patched: &[String],
        version: &str,
    ) -> Result<bool, CannotCompare> {
        if vulnerable.iter().chain(patched).any(String::is_empty) {
            return Ok(true);
        }
        if vulnerable.is_empty() && patched.is_empty() {
            return Ok(false);
        }
        if !vulnerable.is_empty() && !self.matches(vulnerable, version)? {
            return Ok(false);
        }
        if patched.is_empty() {
            return Ok(true);
        }
        Ok(!self.matches(patched, version)?)
    }

    fn admits(self, text: &str, version: Option<&Version>) -> Result<bool, NotAConstraint> {
        let refused = || NotAConstraint {
            text: text.to_owned(),
            scheme: self,
        };
        if !self.has_constraints() {
            return Err(refused());
        }
        let mut any = false;
        for alternative in text.split("||") {
            let elements = constraint::elements(self, alternative).ok_or_else(refused)?;
            let mut all = true;
            for element in &elements {
                all &= self.element(element, version).ok_or_else(refused)?;
            }
            any |= all;
        }
        Ok(any)
    }

    /// What one element says of the version; nothing where it is not valid.
    fn element(self, element: &Element<'_>, version: Option<&Version>) -> Option<bool> {
        if element.version.len() > LONGEST {
            return None;
        }
        let version = version.map(|version| &version.0);
        match self {
            Self::Pep440 => {
                let version = match version {
                    Some(Parsed::Pep440(version)) => Some(version),
                    _ => None,
                };
                pep440::admits(element, version)
            }
            Self::Npm => {
                let version = match version {
                    Some(Parsed::Npm(version)) => Some(version),
                    _ => None,
                };
                npm::admits(element, version)
            }
            Self::Generic => {
                let version = match version {
                    Some(Parsed::Generic(version)) => Some(version),
                    _ => None,
                };
                generic::admits(element, version)
            }
            Self::Maven => {
                let version = match version {
                    Some(Parsed::Maven(version)) => Some(version),
                    _ => None,
                };
                maven::admits(element, version)
            }
            Self::RubyGems => {
                let version = match version {
                    Some(Parsed::RubyGems(version)) => Some(version),
                    _ => None,
                };
                rubygems::admits(element, version)
            }
            Self::Bitnami => {
                let version = match version {
                    Some(Parsed::Bitnami(version)) => Some(version),
                    _ => None,
                };
                bitnami::admits(element, version)
            }
            Self::Dpkg | Self::Rpm | Self::Apk => None,
        }
    }
}

/// What the six plain operators say, given how the version compares with the bound.
fn plain(op: Op, order: Ordering) -> Option<bool> {
    Some(match op {
        Op::Equal => order.is_eq(),
        Op::NotEqual => order.is_ne(),
        Op::Less => order.is_lt(),
        Op::LessOrEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        Op::GreaterOrEqual => order.is_ge(),
        _ => return None,
    })
}
