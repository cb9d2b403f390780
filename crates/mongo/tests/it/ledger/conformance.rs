//! The ports' conformance suites.

use export_ports::conformance;

use super::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence() {
    let Some(server) = Server::given("the suite of the ledger").await else {
        return;
    };
    conformance::evidence(async || server.fresh().await).await;
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy() {
    let Some(server) = Server::given("the suite of the policy engine").await else {
        return;
    };
    conformance::policy(async || server.fresh().await).await;
    server.clean().await;
}
