-- wrk: each request with a proof of its own, from a file with one a line.
-- PROOFS names the file, TOKEN the access token's.
local proofs, at = {}, 0
local token

function init(_)
    for line in io.lines(os.getenv("PROOFS")) do
        proofs[#proofs + 1] = line
    end
    token = io.lines(os.getenv("TOKEN"))()
end

function request()
    at = at + 1
    local proof = proofs[at]
    if proof == nil then
        wrk.thread:stop()
        proof = "none-is-left"
    end
    return wrk.format("GET", nil, { Authorization = token, DPoP = proof })
end

function done(summary, latency, _)
    io.write(string.format(
        "RESULT %d %d %d %d %d %d\n", summary.requests, summary.bytes, summary.duration,
        summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.timeout,
        latency:percentile(99)))
end
