-- wrk: the same requests without proofs, for the peer.
function done(summary, latency, _)
    io.write(string.format(
        "RESULT %d %d %d %d %d %d\n", summary.requests, summary.bytes, summary.duration,
        summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.timeout,
        latency:percentile(99)))
end
