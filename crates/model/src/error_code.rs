//! The catalogue of error codes. `docs/errors.md` is generated from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request, the input or the environment has to change.
    User,
    /// Export Center is at fault: please report it.
    Ours,
    /// The same again may succeed.
    TryAgain,
    /// What was checked is not what it claims to be.
    Evidence,
}

impl Fault {
    /// The fault in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "the request or its input",
            Self::Ours => "Export Center",
            Self::TryAgain => "nobody; try again",
            Self::Evidence => "what was checked",
        }
    }
}

macro_rules! catalogue {
    ($($variant:ident $code:literal $fault:ident $exit:literal $meaning:literal $action:literal;)*) => {
        /// A documented error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the catalogue's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code's text, which never changes.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Whose fault it is.
            #[must_use]
            pub fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault,)* }
            }

            /// The exit code of a command that ends with it.
            #[must_use]
            pub fn exit_code(self) -> u8 {
                match self { $(Self::$variant => $exit,)* }
            }

            /// What it means.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do about it.
            #[must_use]
            pub fn action(self) -> &'static str {
                match self { $(Self::$variant => $action,)* }
            }
        }
    };
}

catalogue! {
    NotJson "ERR_NOT_JSON" User 3 "An input is not a JSON document." "Look at the named file and line; mend or leave out the document.";
    InvalidUtf8 "ERR_INVALID_UTF8" User 3 "An input contains bytes that are not UTF-8." "Convert the document to UTF-8 at its source.";
    LoneSurrogate "ERR_LONE_SURROGATE" User 3 "A string contains half of a surrogate pair, which no Unicode text can." "Mend the document at its source.";
    DuplicateMember "ERR_DUPLICATE_MEMBER" User 3 "An object names the same member twice, so that readers would disagree about its value." "Mend the document at its source.";
    TooDeep "ERR_TOO_DEEP" User 3 "A document is nested deeper than the limit." "Mend the document at its source.";
    RecordTooLarge "ERR_RECORD_TOO_LARGE" User 3 "A record is larger than the ledger's limit of 64 MiB." "Split the document at its source.";
    Compressed "ERR_COMPRESSED_INPUT" User 3 "A compressed input is truncated or damaged." "Fetch the file again.";
    UnsafeArchive "ERR_UNSAFE_ARCHIVE" User 3 "An archive contains a member that could be written outside its folder, a link, a duplicate, or one of an absurd size." "Do not unpack it with other tools either; ask where it came from.";
    UnknownFormat "ERR_UNKNOWN_FORMAT" User 3 "A document is of no format that can be imported." "Name the format with `--format`, or leave the file out.";
    InvalidRecord "ERR_INVALID_RECORD" User 3 "A ledger record, finding or snapshot misses a member or has one of the wrong form." "Mend the record; the message names the member.";
    AocDerivedField "ERR_AOC_DERIVED_FIELD" User 3 "A raw record carries a field that somebody derived (such as a severity or a risk score); the ledger aggregates and never derives." "Import the document as its publisher gave it.";
    AocContentHash "ERR_AOC_CONTENT_HASH" User 3 "The content hash of a record is not the hash of its content." "The record changed after it was collected; collect it again.";
    AocProvenance "ERR_AOC_PROVENANCE" User 3 "A raw record does not say where it came from." "Add `source` and `upstream.upstream_id`.";
    OtherTenant "ERR_OTHER_TENANT" User 3 "A record belongs to another tenant than the one that was named." "Import it with its own tenant, or without `--tenant`.";
    IdConflict "ERR_ID_CONFLICT" User 3 "A record has the `_id` of another one with other content." "The ledger never overwrites; give the new content an id of its own.";
    SnapshotFrozen "ERR_SNAPSHOT_FROZEN" User 3 "A policy snapshot that a run refers to cannot change any more." "Import the findings under a new snapshot.";
    InvalidRequest "ERR_INVALID_REQUEST" User 2 "A request has an unknown or wrong member." "The message names each member and what it should be.";
    CrossTenant "ERR_CROSS_TENANT" User 2 "A request selects another tenant's records without that tenant's approval, or where exports across tenants are switched off or not possible." "Ask that tenant for an approval (`exportctl approval create`) and name it with `--approval`; switch the feature on with `--cross-tenant`; or run the export as that tenant.";
    ApprovalInvalid "ERR_APPROVAL_INVALID" User 2 "What was given as an approval is none." "Give the file that `exportctl approval create` wrote, unchanged.";
    ApprovalSignature "ERR_APPROVAL_SIGNATURE" User 2 "An approval was not signed by a key that is known to be the granting tenant's." "Ask the granting tenant for its public key and add it with `exportctl approval trust`, or for a new approval.";
    ApprovalTime "ERR_APPROVAL_TIME" User 2 "An approval has expired, or is not valid yet." "Ask the granting tenant for a new one, or wait.";
    ApprovalScope "ERR_APPROVAL_SCOPE" User 2 "An approval is for another tenant, another kind of profile, or less than the request selects." "Narrow the request to what was approved, or ask the granting tenant for a wider approval.";
    ApprovalUsed "ERR_APPROVAL_USED" User 2 "An approval that is good for one run was used by another one before." "Ask the granting tenant for a new one.";
    UnknownProfile "ERR_UNKNOWN_PROFILE" User 2 "There is no profile of that name." "`exportctl profile list` shows what there is.";
    ProfileExists "ERR_PROFILE_EXISTS" User 2 "There is a profile of that name already." "Choose another name, or `exportctl profile update`.";
    BuiltinProfile "ERR_BUILTIN_PROFILE" User 2 "A built-in profile cannot be changed." "Create a profile of your own with the same kind.";
    UnknownVariant "ERR_UNKNOWN_VARIANT" User 2 "No adapter of this version makes what the profile asks for." "`exportctl adapters` shows what there is.";
    TrivySchema "ERR_TRIVY_SCHEMA" User 2 "A run asks for a version of the scanner's database schema that this version does not write." "Leave `schema_version` out, or name the one that the message says is written.";
    DeltaBase "ERR_DELTA_BASE" User 2 "A delta cannot start from the export that the request names." "Name a completed mirror export of the same profile and selectors with `--base`; the message says what is wrong with this one.";
    DeltaBasePruned "ERR_DELTA_BASE_PRUNED" User 2 "The list of the tree that a delta is to start from is no longer kept." "Start from a newer export, or export `mirror:full`; `retention.listing_days` of the profile says how long lists are kept.";
    RecipientNotListed "ERR_RECIPIENT_NOT_LISTED" User 2 "A profile or a run seals to a recipient, or with a key, that the tenant's configuration does not list." "Ask whoever runs the service to list it (`exportctl seal allow` in a home), or seal to one that is.";
    UnknownSnapshot "ERR_UNKNOWN_SNAPSHOT" User 2 "There is no such policy snapshot, or none at all." "Import a policy snapshot and its findings, or name another with `--policy-snapshot`.";
    AsOfUnknown "ERR_AS_OF_UNKNOWN" User 2 "The ledger never was in the state that `as_of` names." "Name a watermark of a past run, or a time that is not before the ledger's first import.";
    UnknownRun "ERR_UNKNOWN_RUN" User 2 "There is no such run." "`exportctl runs list` shows what there is.";
    AmbiguousTenant "ERR_AMBIGUOUS_TENANT" User 2 "The ledger holds several tenants' records and none was named." "Say which with `--tenant`, or set EXPORT_TENANT.";
    Unauthenticated "ERR_UNAUTHENTICATED" User 8 "A request says not, or not in a form that can be read, who it is from." "Log in with `exportctl login`; other clients obtain a token from the Authority and send it as `Authorization: DPoP TOKEN`, with a `DPoP` proof.";
    TokenInvalid "ERR_TOKEN_INVALID" User 8 "An access token is not one that the configured Authority issued for this service, or misses a claim." "The message says what is wrong with it; obtain another token.";
    TokenExpired "ERR_TOKEN_EXPIRED" User 8 "An access token has expired." "Log in again with `exportctl login`; other clients obtain another token.";
    DpopInvalid "ERR_DPOP_INVALID" User 8 "The DPoP proof of a request does not show that its sender holds the token's key, or is about another request." "The message says what is wrong; make a new proof for each request, with the token's key and a clock that is right.";
    DpopReplayed "ERR_DPOP_REPLAYED" User 8 "The DPoP proof of a request was used before." "Make a new proof, with its own `jti`, for each request; if it was not you who used it, somebody read your request.";
    ScopeMissing "ERR_SCOPE_MISSING" User 8 "The access token does not carry the scope that the request needs." "Obtain a token with the scope that the message names.";
    AuthorityUnreachable "ERR_AUTHORITY_UNREACHABLE" TryAgain 8 "The Authority's keys could not be fetched, so that no token can be checked." "The message says what failed; try again when the Authority answers.";
    ServerUnreachable "ERR_SERVER_UNREACHABLE" TryAgain 6 "The service cannot be reached, or what answers at its URL is not the service." "The message says what failed; check the URL given with `--server`, and try again when the service answers.";
    NoSuchResource "ERR_NO_SUCH_RESOURCE" User 2 "There is nothing at this path." "The OpenAPI document lists every path.";
    WrongMethod "ERR_WRONG_METHOD" User 2 "The path is there, but not with this method." "The OpenAPI document lists every path with its methods.";
    NotAcceptable "ERR_NOT_ACCEPTABLE" User 2 "The client accepts no form in which this can be sent." "The message names the forms that there are.";
    RequestTimeout "ERR_REQUEST_TIMEOUT" TryAgain 2 "The request stopped coming before its end." "Send it again.";
    BodyTooLarge "ERR_BODY_TOO_LARGE" User 2 "The body of a request is larger than its limit." "The message names the limit.";
    WrongMediaType "ERR_WRONG_MEDIA_TYPE" User 2 "The body of a request is of another media type than the one that is read." "Send it with the `Content-Type` that the message names.";
    RangeNotSatisfiable "ERR_RANGE_NOT_SATISFIABLE" User 2 "Nothing exists of the range that was asked for." "`Content-Range` names the size.";
    PreconditionRequired "ERR_PRECONDITION_REQUIRED" User 2 "A change must say which revision it changes, so that nobody's change is lost." "Read the resource and send its `ETag` as `If-Match`.";
    NotReady "ERR_NOT_READY" User 2 "The run has no bundle yet." "Wait until it has completed.";
    RunEnded "ERR_RUN_ENDED" User 2 "The run has ended already." "Nothing to do.";
    ProfileRetired "ERR_PROFILE_RETIRED" User 2 "The profile was retired: nothing is run with it any more, and its name is not given again." "Use another profile; past revisions can still be read by number.";
    PreconditionFailed "ERR_PRECONDITION_FAILED" User 2 "Somebody changed it after the version that the request names." "Read it again and decide again.";
    UnknownSchedule "ERR_UNKNOWN_SCHEDULE" User 2 "There is no such schedule." "List the schedules to see what there is.";
    Pruned "ERR_PRUNED" User 2 "The payload of the run was removed, because the time for which its profile keeps bundles is over." "The signed documents are still there; submit a new run for a new bundle.";
    IdempotencyMismatch "ERR_IDEMPOTENCY_MISMATCH" User 2 "The idempotency key was used for another request." "Use a new key for every new request.";
    IdempotencyConflict "ERR_IDEMPOTENCY_CONFLICT" TryAgain 2 "A request with the same idempotency key is being carried out." "Send it again a little later; the answer will be the same run.";
    QuotaRuns "ERR_QUOTA_RUNS" TryAgain 9 "The runs of the day are used up." "Wait until the quota is reset; the message says when.";
    QuotaBytes "ERR_QUOTA_BYTES" TryAgain 9 "The bytes of the day are used up." "Wait until the quota is reset; the message says when.";
    QuotaRequests "ERR_QUOTA_REQUESTS" TryAgain 9 "There were too many requests." "Wait as long as `Retry-After` says.";
    InputDrift "ERR_INPUT_DRIFT" User 4 "What the ledger gave is not what its index promised when the run was planned: the ledger was altered, or has lost data." "Check the ledger's storage; no bundle was made.";
    TooManyParts "ERR_TOO_MANY_PARTS" User 4 "The selection has more than 10,000 parts." "Narrow the selection, or raise `records_per_part` and `bytes_per_part`.";
    Cancelled "ERR_CANCELLED" User 5 "The run was cancelled." "Submit it again if that was a mistake.";
    RetriesExhausted "ERR_RETRIES_EXHAUSTED" TryAgain 4 "A step failed too often; the message says how it failed the last time." "Mend the cause and submit the run again.";
    Storage "ERR_STORAGE" TryAgain 6 "Something could not be read from or written to storage." "The message names the file or store and the cause.";
    DiskFull "ERR_DISK_FULL" TryAgain 6 "There is no space left where something had to be written." "Free space and run the command again; nothing half done was kept.";
    ScratchFull "ERR_SCRATCH_FULL" TryAgain 6 "There is no space left in the scratch directory, where parts are assembled." "Free space there, name a larger one with EXPORT_SCRATCH (a function: raise AdapterScratch), or narrow the selection.";
    ReadOnly "ERR_READ_ONLY" User 6 "The home cannot be written to." "Choose another with `--home`, or mend its permissions.";
    HomeNewer "ERR_HOME_NEWER" User 6 "The home was written by a newer version, whose schema this one does not know." "Use that version, or another home.";
    HomeDamaged "ERR_HOME_DAMAGED" User 6 "A database of the home is damaged or not one of ours." "Restore the home from a backup, or use another.";
    KeyUnreadable "ERR_KEY_UNREADABLE" User 7 "A key file is not a key in a form that can be read." "For signatures give an ECDSA P-256 key as a PEM file: PKCS#8, or as cosign writes it. For sealed bundles give an age identity, a key-encryption key, or a key file.";
    KeyPassword "ERR_KEY_PASSWORD" User 7 "The key is encrypted and its password is missing or wrong." "Set COSIGN_PASSWORD.";
    SigningFailed "ERR_SIGNING_FAILED" TryAgain 4 "The signer could not sign." "The message says what it answered.";
    BadSignature "ERR_BAD_SIGNATURE" Evidence 10 "A signature does not belong to the document that it signs." "Do not use the bundle; fetch it again from where it came from.";
    Altered "ERR_ALTERED" Evidence 11 "A file of the bundle is not the one that was signed." "Do not use the bundle; fetch it again from where it came from.";
    Incomplete "ERR_INCOMPLETE" Evidence 12 "The bundle misses a file, or ends too early." "Fetch it again.";
    WrongIdentity "ERR_WRONG_IDENTITY" User 23 "The bundle is sealed, and none of the identities and keys that were given opens it." "Give the identity (or key file) of one of its recipients with `--identity`; without any, stored bytes and signatures are verified.";
    NotABundle "ERR_NOT_A_BUNDLE" Evidence 13 "The input is no bundle." "Give the `bundle.tar` that an export wrote, or the folder it was unpacked to.";
    WrongKey "ERR_WRONG_KEY" Evidence 14 "The bundle was signed by another key than the one that is trusted." "Compare fingerprints with whoever signed it.";
    NoKey "ERR_NO_KEY" User 15 "There is no key to verify the bundle with: nothing was verified." "Give the signer's public key with `--key`.";
    NotAMirror "ERR_NOT_A_MIRROR" User 2 "The bundle is no mirror, so that it cannot be applied to one." "Give the bundle of a `mirror:full` or `mirror:delta` run.";
    NoMirror "ERR_NO_MIRROR" User 2 "The folder holds no mirror, or something else than one." "Name the folder that `exportctl mirror apply --to` was given; for a new mirror, one that is empty or does not exist.";
    MirrorNewer "ERR_MIRROR_NEWER" User 6 "The mirror was written by a newer version, whose format this one does not know." "Use that version, or another folder.";
    MirrorDamaged "ERR_MIRROR_DAMAGED" User 6 "What a mirror knows of itself is damaged or missing." "The message names the file. Apply a full export to a new folder, and let readers use that one.";
    MirrorReadOnly "ERR_MIRROR_READ_ONLY" User 6 "The mirror's folder cannot be written to." "Mend its permissions, or mount its file system for writing; the tree is unchanged.";
    MirrorBusy "ERR_MIRROR_BUSY" TryAgain 16 "Another process is changing the mirror." "The message says who; try again when it has ended.";
    MirrorGap "ERR_MIRROR_GAP" User 17 "A delta was made for a state that this mirror has not reached: others come first." "Apply the export that the message names, and those after it in order, or a full export.";
    MirrorFork "ERR_MIRROR_FORK" User 18 "A delta was made for a state that this mirror is not in: an older one, or one of another line." "Make a delta whose base is the export that the message says is here, or apply a full export.";
    MirrorReplay "ERR_MIRROR_REPLAY" User 19 "The mirror has this export already." "Nothing to do.";
    MirrorRollback "ERR_MIRROR_ROLLBACK" User 20 "The export is older than what the mirror holds." "Apply a newer one; a full export is applied all the same with `--allow-rollback`.";
    MirrorOther "ERR_MIRROR_OTHER" User 21 "The export is of another tenant, or of another profile or selection, than the mirror." "Apply it to a mirror of its own.";
    MirrorEdited "ERR_MIRROR_EDITED" Evidence 22 "The mirror's tree is not what was applied: somebody changed it." "`exportctl mirror verify` names every difference; apply a full export to repair the tree.";
    Io "ERR_IO" User 6 "A file or folder could not be read or written." "The message names it and the cause.";
    Configuration "ERR_CONFIGURATION" User 2 "A setting is missing, or is something that cannot be used." "The message names the variable and the file's key; docs/configuration.md lists all of them.";
    Usage "ERR_USAGE" User 2 "The command line is wrong." "`exportctl help` shows how it is meant.";
    Internal "ERR_INTERNAL" Ours 1 "Something that cannot happen happened." "Please report it, with the message.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no error code.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no error code of this version")]
pub struct UnknownErrorCode(String);

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownErrorCode(text.chars().take(80).collect()))
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        let mut seen = std::collections::BTreeSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert_eq!(code.as_str().parse::<ErrorCode>().unwrap(), *code);
            assert!(code.exit_code() != 0);
        }
    }
}
