#include "chain/ledger.h"

const char *chain_response_name(enum chain_response code)
{
    static const struct {
        enum chain_response code;
        const char *name;
    } names[] = {
        {CHAIN_SUCCESS, "SUCCESS"},
        {CHAIN_VERSION, "VERSION"},
        {CHAIN_BLACKLISTED, "BLACKLISTED"},
        {CHAIN_MISSING_PARAM, "MISSING_PARAM"},
        {CHAIN_INVALID_VALUE, "INVALID_VALUE"},
        {CHAIN_CERT_ERROR, "CERT_ERROR"},
        {CHAIN_DEREGISTER, "DEREGISTER"},
        {CHAIN_REG_PENDING, "REG_PENDING"},
        {CHAIN_UNSUPPORTED_SPECTRUM, "UNSUPPORTED_SPECTRUM"},
        {CHAIN_INTERFERENCE, "INTERFERENCE"},
        {CHAIN_GRANT_CONFLICT, "GRANT_CONFLICT"},
        {CHAIN_TERMINATED_GRANT, "TERMINATED_GRANT"},
        {CHAIN_SUSPENDED_GRANT, "SUSPENDED_GRANT"},
        {CHAIN_UNSYNC_OP_PARAM, "UNSYNC_OP_PARAM"},
        {CHAIN_NOT_ENTITLED, "NOT_ENTITLED"},
        {CHAIN_LIMIT, "LIMIT"},
        {CHAIN_FUNDS, "FUNDS"},
        {CHAIN_BUSY, "BUSY"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code)
            return names[i].name;
    return "UNKNOWN";
}

const char *chain_ledger_event_name(enum chain_ledger_event_kind kind)
{
    static const char *const names[] = {
        [CHAIN_LE_REGISTERED] = "registered",
        [CHAIN_LE_WINDOW_FUSED] = "window-fused",
        [CHAIN_LE_WHITE_SPACE] = "white-space",
        [CHAIN_LE_INCUMBENT] = "incumbent",
        [CHAIN_LE_GRANTED] = "granted",
        [CHAIN_LE_AUTHORIZED] = "authorized",
        [CHAIN_LE_HEARTBEAT] = "heartbeat",
        [CHAIN_LE_SUSPENDED] = "suspended",
        [CHAIN_LE_EXPIRED] = "expired",
        [CHAIN_LE_RELINQUISHED] = "relinquished",
        [CHAIN_LE_EVIDENCE] = "evidence",
        [CHAIN_LE_EVIDENCE_CONFIRMED] = "evidence-confirmed",
        [CHAIN_LE_MOVED] = "moved",
        [CHAIN_LE_DEREGISTERED] = "deregistered",
        [CHAIN_LE_ADMITTED] = "admitted",
        [CHAIN_LE_RECONFIGURED] = "reconfigured",
        [CHAIN_LE_CONVICTED] = "convicted",
        [CHAIN_LE_BARRED] = "barred",
        [CHAIN_LE_PAID] = "paid",
        [CHAIN_LE_RECORDED] = "recorded",
        [CHAIN_LE_WITHDRAWN] = "withdrawn",
        [CHAIN_LE_SHORTENED] = "shortened",
        [CHAIN_LE_REFUSED] = "refused",
        [CHAIN_LE_TX] = "tx",
        [CHAIN_LE_HOP_EPOCH] = "hop-epoch",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}
