//! The arguments of `exportctl login`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Whose evidence; a dev authority believes it [default: `default`]
    #[arg(long, env = "EXPORT_TENANT")]
    pub(crate) tenant: Option<String>,
    /// Who one is; a dev authority believes it [default: the user's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// What the token is to allow, such as export:read (repeat for more) [default: everything that
    /// the Authority gives]
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The Authority's token endpoint [default: as the service and its Authority say]
    #[arg(long, value_name = "URL")]
    pub(crate) token_endpoint: Option<String>,
    /// The name under which the Authority knows this client
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// A file with the client's password at the Authority, or `-` for standard input
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// A file with a token that was made for the key of --new-key, or `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "scopes", "token_endpoint",
        "client_id"])]
    pub(crate) token: Option<PathBuf>,
    /// Make a key and print its thumbprint, to which an Authority elsewhere can bind a token
    #[arg(long, conflicts_with_all = ["subject", "scopes", "token_endpoint", "client_id",
        "token"])]
    pub(crate) new_key: bool,
}
