//! Language ecosystems: what OSV and package URLs call them, and how Trivy does.

use crate::version::Scheme;

use super::purl::Purl;

/// An ecosystem whose packages Trivy looks up in buckets `<prefix>::<feed>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Language {
    Pip,
    Npm,
    Go,
    Maven,
    NuGet,
    Composer,
    RubyGems,
    Cargo,
    Erlang,
    Pub,
    Swift,
    CocoaPods,
    Conan,
    Bitnami,
    Kubernetes,
    Julia,
}

/// Ecosystem, Trivy's prefix, the purl type, other names (OSV's first), in lower case.
const NAMES: &[(Language, &str, &str, &[&str])] = &[
    (Language::Pip, "pip", "pypi", &["pypi", "pip"]),
    (Language::Npm, "npm", "npm", &["npm"]),
    (Language::Go, "go", "golang", &["go", "golang"]),
    (Language::Maven, "maven", "maven", &["maven"]),
    (Language::NuGet, "nuget", "nuget", &["nuget"]),
    (
        Language::Composer,
        "composer",
        "composer",
        &["packagist", "composer"],
    ),
    (Language::RubyGems, "rubygems", "gem", &["rubygems"]),
    (
        Language::Cargo,
        "cargo",
        "cargo",
        &["crates.io", "rust", "cargo"],
    ),
    (Language::Erlang, "erlang", "hex", &["hex", "erlang"]),
    (Language::Pub, "pub", "pub", &["pub"]),
    (Language::Swift, "swift", "swift", &["swifturl", "swift"]),
    (
        Language::CocoaPods,
        "cocoapods",
        "cocoapods",
        &["cocoapods"],
    ),
    (Language::Conan, "conan", "conan", &["conancenter", "conan"]),
    (Language::Bitnami, "bitnami", "bitnami", &["bitnami"]),
    (Language::Kubernetes, "k8s", "k8s", &["kubernetes", "k8s"]),
    (Language::Julia, "julia", "julia", &["julia"]),
];

/// Swift packages that are pods too, by what follows `github.com/`. Upstream reads the whole `CocoaPods`
/// index for this; these are the ones with advisories, or with the most users.
const PODS: &[(&str, &[&str])] = &[
    ("AFNetworking/AFNetworking", &["AFNetworking"]),
    ("Alamofire/Alamofire", &["Alamofire"]),
    ("SDWebImage/SDWebImage", &["SDWebImage"]),
    ("ZipArchive/ZipArchive", &["SSZipArchive"]),
    ("apple/swift-nio", &["SwiftNIO"]),
    ("apple/swift-nio-extras", &["SwiftNIOExtras"]),
    ("apple/swift-nio-http2", &["SwiftNIOHTTP2"]),
    ("daltoniam/Starscream", &["Starscream"]),
    ("grpc/grpc-swift", &["gRPC-Swift"]),
    ("marmelroy/Zip", &["Zip"]),
    ("sparkle-project/Sparkle", &["Sparkle"]),
    ("weichsel/ZIPFoundation", &["ZIPFoundation"]),
];

impl Language {
    /// By the name that OSV gives the ecosystem; what follows a colon is a repository, or a release.
    pub(super) fn named(ecosystem: &str) -> Option<Self> {
        let name = ecosystem.split(':').next().unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        let found = NAMES.iter().find(|(.., names)| names.contains(&&*name));
        found.map(|(language, ..)| *language)
    }

    /// By the type of a package URL.
    pub(super) fn of_purl(purl: &Purl) -> Option<Self> {
        let found = NAMES.iter().find(|(_, _, kind, _)| *kind == purl.kind);
        found.map(|(language, ..)| *language)
    }

    /// What Trivy's buckets of it begin with.
    pub(super) fn prefix(self) -> &'static str {
        let found = NAMES.iter().find(|(language, ..)| *language == self);
        found.map_or("", |(_, prefix, ..)| prefix)
    }

    pub(super) fn scheme(self) -> Scheme {
        match self {
            Self::Pip => Scheme::Pep440,
            Self::Npm => Scheme::Npm,
            Self::Maven => Scheme::Maven,
            Self::RubyGems | Self::CocoaPods => Scheme::RubyGems,
            Self::Bitnami => Scheme::Bitnami,
            _ => Scheme::Generic,
        }
    }

    /// The keys under which Trivy looks the package up.
    pub(super) fn keys(self, name: &str) -> Vec<String> {
        let name = name.trim_ascii();
        match self {
            Self::Go | Self::CocoaPods | Self::Julia => vec![name.to_owned()],
            Self::Pip => vec![name.to_lowercase().replace('_', "-")],
            Self::Swift => {
                let name = name.strip_prefix("https://").unwrap_or(name);
                vec![name.strip_suffix(".git").unwrap_or(name).to_owned()]
            }
            // Older readers look for the name as it is written, newer ones for lower case.
            Self::NuGet => {
                let lower = name.to_lowercase();
                if lower == name {
                    vec![lower]
                } else {
                    vec![lower, name.to_owned()]
                }
            }
            _ => vec![name.to_lowercase()],
        }
    }

    /// The package's name in a package URL, as advisories spell it.
    pub(super) fn name_in(self, purl: &Purl) -> String {
        match self {
            Self::Maven => purl.full_name(':'),
            Self::Conan | Self::Bitnami => purl.name.clone(),
            _ => purl.full_name('/'),
        }
    }

    /// The names of a Swift package as pods.
    pub(super) fn pods(key: &str) -> &'static [&'static str] {
        let Some(path) = key.strip_prefix("github.com/") else {
            return &[];
        };
        let found = PODS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(path));
        found.map_or(&[], |(_, pods)| pods)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("PyPI", "pip"),
            ("npm", "npm"),
            ("Go", "go"),
            ("Maven:https://repo.example.org/", "maven"),
            ("Packagist:https://packages.drupal.org/8", "composer"),
            ("crates.io", "cargo"),
            ("Hex", "erlang"),
            ("SwiftURL", "swift"),
            ("ConanCenter", "conan"),
            ("Kubernetes", "k8s"),
            ("Julia", "julia"),
        ] {
            assert_eq!(Language::named(name).unwrap().prefix(), expected);
        }
        assert_eq!(Language::named("Hackage"), None);
    }

    #[test]
    fn keys() {
        assert_eq!(Language::Pip.keys("Zope.Interface_X"), ["zope.interface-x"]);
        assert_eq!(Language::Npm.keys("@Scope/Name"), ["@scope/name"]);
        assert_eq!(
            Language::Go.keys("github.com/Masterminds/x"),
            ["github.com/Masterminds/x"]
        );
        assert_eq!(
            Language::NuGet.keys("Newtonsoft.Json"),
            ["newtonsoft.json", "Newtonsoft.Json"]
        );
        assert_eq!(
            Language::Swift.keys("https://github.com/Vapor/vapor.git"),
            ["github.com/Vapor/vapor"]
        );
        assert_eq!(
            Language::pods("github.com/apple/swift-nio-http2"),
            ["SwiftNIOHTTP2"]
        );
        let purl = Purl::parse("pkg:maven/org.a/b@1").unwrap();
        assert_eq!(Language::of_purl(&purl).unwrap().name_in(&purl), "org.a:b");
    }
}
