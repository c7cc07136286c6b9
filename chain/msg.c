#include "chain/msg.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/cbor.h"

enum { WIRE_VERSION = 1, WIRE_ITEMS = 10 };

int chain_msg_digest(const struct chain_members *members, uint8_t kind, const uint8_t *body, size_t body_len,
                     struct chain_hash *out)
{
    if (kind == CHAIN_MSG_PBFT_PRE_PREPARE)
        return chain_batch_digest(members, body, body_len, out);
    chain_hash_tagged(kind, body, body_len, out);
    return 0;
}

/* An empty batch has no octets, yet its digest follows from it. */
static bool digest_follows(uint8_t kind, size_t body_len)
{
    return body_len > 0 || kind == CHAIN_MSG_PBFT_PRE_PREPARE;
}

bool chain_msg_by_seat(uint8_t kind)
{
    return kind == CHAIN_MSG_HEADER_VOTE || kind >= CHAIN_MSG_RAFT_APPEND;
}

bool chain_msg_author_known(const struct chain_members *members, uint8_t kind, uint32_t author)
{
    return author < (chain_msg_by_seat(kind) ? members->n : members->n_keys);
}

static uint32_t find_epoch(const struct chain_members *members, uint8_t kind)
{
    return chain_msg_by_seat(kind) ? members->epoch : 0;
}

size_t chain_msg_preimage(const struct chain_members *members, const struct chain_msg *msg, uint8_t out[CHAIN_PREIMAGE_BYTES])
{
    struct chain_cbor_writer w = {.out = out, .cap = CHAIN_PREIMAGE_BYTES};
    chain_cbor_put_array(&w, 8);
    chain_cbor_put_text(&w, "airdeed-msg");
    chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
    chain_cbor_put_uint(&w, find_epoch(members, msg->kind));
    chain_cbor_put_uint(&w, msg->author);
    chain_cbor_put_uint(&w, msg->kind);
    chain_cbor_put_uint(&w, msg->view);
    chain_cbor_put_uint(&w, msg->seq);
    chain_cbor_put_bytes(&w, msg->digest.octets, CHAIN_HASH_BYTES);
    return w.len;
}

static int sign_ed25519(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    struct chain_ed25519 *key = ctx;
    uint8_t preimage[CHAIN_PREIMAGE_BYTES];
    size_t len = chain_msg_preimage(members, msg, preimage);
    key->n_signed++;
    return crypto_sign_detached(msg->sig, NULL, preimage, len, key->secret) == 0 ? 0 : -EINVAL;
}

static int verify_ed25519(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    struct chain_ed25519 *key = ctx;
    if (!chain_msg_author_known(members, msg->kind, msg->author))
        return -EBADMSG;
    uint8_t preimage[CHAIN_PREIMAGE_BYTES];
    size_t len = chain_msg_preimage(members, msg, preimage);
    uint32_t key_id = chain_msg_by_seat(msg->kind) ? members->seats[msg->author] : msg->author;
    key->n_verified++;
    return crypto_sign_verify_detached(msg->sig, preimage, len, members->keys[key_id]) == 0 ? 0 : -EBADMSG;
}

/* As unguessable as the key, and the same for the same run. */
static int draw_keyed(void *ctx, const struct chain_members *members, uint64_t counter, uint8_t *out, size_t len)
{
    const struct chain_ed25519 *key = ctx;
    uint8_t preimage[64];
    struct chain_cbor_writer w = {.out = preimage, .cap = sizeof preimage};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_text(&w, "airdeed-draw");
    chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
    chain_cbor_put_uint(&w, counter);
    return crypto_generichash(out, len, preimage, w.len, key->secret, CHAIN_KEY_BYTES) == 0 ? 0 : -EINVAL;
}

static int unseal_ed25519(void *ctx, const uint8_t *sealed, size_t len, uint8_t *out)
{
    const struct chain_ed25519 *key = ctx;
    uint8_t secret[crypto_box_SECRETKEYBYTES], public[crypto_box_PUBLICKEYBYTES];
    bool open = crypto_sign_ed25519_sk_to_curve25519(secret, key->secret) == 0 && crypto_scalarmult_base(public, secret) == 0 &&
                crypto_box_seal_open(out, sealed, len, public, secret) == 0;
    sodium_memzero(secret, sizeof secret);
    return open ? 0 : -EBADMSG;
}

struct chain_signer chain_signer_ed25519(struct chain_ed25519 *key)
{
    return (struct chain_signer){
        .ctx = key, .sign = sign_ed25519, .verify = verify_ed25519, .draw = draw_keyed, .unseal = unseal_ed25519};
}

void chain_ed25519_from_seed(const uint8_t seed[32], uint8_t public_out[CHAIN_KEY_BYTES], uint8_t secret_out[CHAIN_SECRET_BYTES])
{
    crypto_sign_seed_keypair(public_out, secret_out, seed);
}

long chain_msg_encode(const struct chain_members *members, const struct chain_msg *msg, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, WIRE_ITEMS);
    chain_cbor_put_uint(&w, WIRE_VERSION);
    chain_cbor_put_bytes(&w, members->chain_id, sizeof members->chain_id);
    chain_cbor_put_uint(&w, find_epoch(members, msg->kind));
    chain_cbor_put_uint(&w, msg->author);
    chain_cbor_put_uint(&w, msg->kind);
    chain_cbor_put_uint(&w, msg->view);
    chain_cbor_put_uint(&w, msg->seq);
    if (digest_follows(msg->kind, msg->body_len))
        chain_cbor_put_null(&w);
    else
        chain_cbor_put_bytes(&w, msg->digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(&w, msg->body, msg->body_len);
    chain_cbor_put_bytes(&w, msg->sig, CHAIN_SIG_BYTES);
    return chain_cbor_finish(&w);
}

/* Everything but the digest; given_out tells whether one was sent. */
static uint64_t read_fields(struct chain_cbor_reader *r, struct chain_msg *msg, uint8_t chain_id[8], bool *given_out)
{
    chain_cbor_expect_array(r, WIRE_ITEMS);
    if (chain_cbor_get_uint(r) != WIRE_VERSION)
        r->bad = true;
    chain_cbor_get_fixed(r, chain_id, 8);
    uint64_t epoch = chain_cbor_get_uint(r);
    uint64_t author = chain_cbor_get_uint(r);
    uint64_t kind = chain_cbor_get_uint(r);
    msg->view = chain_cbor_get_uint(r);
    msg->seq = chain_cbor_get_uint(r);
    *given_out = !chain_cbor_get_null(r);
    if (*given_out)
        chain_cbor_get_fixed(r, msg->digest.octets, CHAIN_HASH_BYTES);
    msg->body = chain_cbor_get_bytes(r, &msg->body_len);
    chain_cbor_get_fixed(r, msg->sig, CHAIN_SIG_BYTES);
    if (author >= CHAIN_MAX_KEYS || kind == 0 || kind > UINT8_MAX)
        r->bad = true;
    msg->author = (uint32_t)author;
    msg->kind = (uint8_t)kind;
    return epoch;
}

int chain_msg_read(const struct chain_members *members, const uint8_t *data, size_t len, struct chain_msg *out, size_t *consumed_out)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    struct chain_msg msg = {0};
    uint8_t chain_id[8];
    bool digest_given;
    uint64_t epoch = read_fields(&r, &msg, chain_id, &digest_given);
    if (r.bad || r.pos > CHAIN_MAX_MSG_BYTES || memcmp(chain_id, members->chain_id, sizeof chain_id) != 0)
        return -EBADMSG;
    if (epoch != find_epoch(members, msg.kind))
        return chain_msg_by_seat(msg.kind) ? -ESTALE : -EBADMSG;
    if (!chain_msg_author_known(members, msg.kind, msg.author))
        return -EBADMSG;
    if (digest_given == digest_follows(msg.kind, msg.body_len))
        return -EBADMSG;
    *out = msg;
    if (consumed_out)
        *consumed_out = r.pos;
    return 0;
}

int chain_msg_decode(const struct chain_members *members, const uint8_t *data, size_t len, struct chain_msg *out,
                     size_t *consumed_out)
{
    struct chain_msg msg;
    int rc = chain_msg_read(members, data, len, &msg, consumed_out);
    if (rc == 0 && digest_follows(msg.kind, msg.body_len) && chain_msg_digest(members, msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
        rc = -EBADMSG;
    if (rc == 0)
        *out = msg;
    return rc;
}
