/* Raft with five members: what one said before its disk turned back is still counted, together with what others say after they told it all that they knew.
 * docs/consensus.md, "Starting again". */
#define SUITE_NAME "chain node forgot"
#include "tests/unit/check_main.h"

#include "chain/node_internal.h"
#include "tests/unit/chain/cluster.h"

enum { N = 5, ALL = (1 << N) - 1 };

/* Who of the five is who. */
struct roles {
    uint32_t leader, forgetful, late, others[2];
};

static struct roles cast(const struct cluster *c)
{
    struct roles r = {.leader = cluster_stats(c, 0).engine.leader};
    r.forgetful = (r.leader + 1) % N;
    r.late = (r.leader + 2) % N;
    r.others[0] = (r.leader + 3) % N;
    r.others[1] = (r.leader + 4) % N;
    return r;
}

static uint32_t bit(uint32_t member)
{
    return 1U << member;
}

/* Each hears those of its part alone; who is in none hears nobody. */
static void part(struct cluster *c, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < N; i++)
        c->ignores[i] = a >> i & 1 ? ALL & ~a : b >> i & 1 ? ALL & ~b : ALL;
}

static void submit_to(struct cluster *c, uint32_t at, uint32_t k)
{
    struct chain_op op = evidence_op(c, k);
    ck_assert_int_eq(cluster_submit(c, at, &op), CHAIN_SUCCESS);
}

static void heal(struct cluster *c)
{
    part(c, ALL, 0);
    for (uint32_t i = 0; i < N; i++)
        if (!c->nodes[i])
            cluster_start(c, i);
    cluster_run(c, 5000 * MS);
    ck_assert(cluster_agrees(c));
}

/* The leader's entry reaches one follower, which acknowledges it, loses it, and is told by three others what they know: not that entry. Then one of
 * these acknowledges it too: leader, lost word and late word are a majority, and a client is told. */
static uint64_t commit_by_a_lost_word(struct cluster *c, const struct roles *r)
{
    struct cluster_disk *old = cluster_copy_disk(c->disks[r->forgetful]);
    uint64_t height = cluster_stats(c, r->leader).height, log = cluster_stats(c, r->forgetful).engine.log_index;
    uint32_t three = bit(r->late) | bit(r->others[0]) | bit(r->others[1]);
    part(c, bit(r->leader) | bit(r->forgetful), three);
    submit_to(c, r->leader, 1);
    cluster_run(c, 12 * MS);
    ck_assert_uint_gt(cluster_stats(c, r->forgetful).engine.log_index, log);
    ck_assert_uint_eq(cluster_stats(c, r->leader).height, height);
    cluster_stop(c, r->forgetful);
    cluster_roll_back(c, r->forgetful, old);
    part(c, three | bit(r->forgetful), bit(r->leader));
    cluster_start(c, r->forgetful);
    cluster_run(c, 25 * MS);
    ck_assert(cluster_stats(c, r->forgetful).votes);
    ck_assert_uint_eq(cluster_stats(c, r->forgetful).engine.log_index, log);
    part(c, bit(r->leader) | bit(r->late), bit(r->forgetful) | bit(r->others[0]) | bit(r->others[1]));
    for (int k = 0; k < 160 && cluster_stats(c, r->leader).height == height; k++)
        cluster_run(c, MS);
    ck_assert_uint_gt(cluster_stats(c, r->leader).height, height);
    return cluster_stats(c, r->leader).height;
}

/* Leader and late one are away: the three that are left are a majority, and none holds the entry. */
START_TEST(who_forgot_helps_to_elect_nobody_while_what_it_forgot_may_be_counted)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, N, seed, 600 * MS, 600 * MS);
        struct roles r = cast(c);
        uint64_t told = commit_by_a_lost_word(c, &r);
        submit_to(c, r.others[0], 2);
        cluster_run(c, 3000 * MS);
        ck_assert_uint_lt(cluster_stats(c, r.others[0]).height, told);
        ck_assert_uint_lt(cluster_stats(c, r.forgetful).height, told);
        heal(c);
        ck_assert_uint_gt(cluster_height(c), told);
        cluster_close(c);
    }
}
END_TEST

/* The leader alone is away: the four that are left are led by the one that holds the entry. */
START_TEST(who_forgot_votes_once_the_others_of_a_later_term_have_told_it_more)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, N, seed, 600 * MS, 600 * MS);
        struct roles r = cast(c);
        uint64_t told = commit_by_a_lost_word(c, &r);
        cluster_stop(c, r.leader);
        part(c, ALL & ~bit(r.leader), 0);
        submit_to(c, r.others[0], 2);
        cluster_run(c, 2500 * MS);
        ck_assert_uint_gt(cluster_stats(c, r.others[0]).height, told);
        ck_assert_uint_gt(cluster_stats(c, r.forgetful).height, told);
        heal(c);
        cluster_close(c);
    }
}
END_TEST

/* Three do not hear the leader. The one of them that stands first gets the second's vote; the third, which helped it to stand, has not heard of the
 * election yet. Returns whose vote that was. */
static uint32_t stand_with_one_vote(struct cluster *c, const struct roles *r, uint32_t *candidate)
{
    uint32_t three[3] = {r->forgetful, r->late, r->others[0]}, deaf = bit(three[0]) | bit(three[1]) | bit(three[2]);
    uint64_t term = cluster_stats(c, r->leader).engine.view;
    part(c, deaf, ALL & ~deaf);
    uint32_t first = 3;
    for (int k = 0; k < 800 && first == 3; k++) {
        cluster_run(c, MS / 2);
        for (uint32_t i = 0; i < 3; i++)
            first = cluster_stats(c, three[i]).engine.view > term ? i : first;
    }
    ck_assert_uint_lt(first, 3);
    uint32_t voter = three[(first + 1) % 3];
    *candidate = three[first];
    part(c, bit(voter) | bit(*candidate), bit(r->leader) | bit(r->others[1]));
    for (int k = 0; k < 100 && cluster_stats(c, voter).engine.view == term; k++)
        cluster_run(c, MS / 2);
    cluster_run(c, 5 * MS);
    ck_assert_uint_eq(cluster_stats(c, voter).engine.view, term + 1);
    ck_assert(!cluster_stats(c, *candidate).engine.is_leader);
    return voter;
}

/* A vote is lost, and three that have not heard of its term answer: would its author acknowledge entries of the term before, the candidate could still be
 * elected without them. */
START_TEST(who_forgot_a_vote_is_told_of_its_term_by_those_that_helped_the_candidate_to_stand)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, N, seed, 600 * MS, 600 * MS);
        struct roles r = cast(c);
        struct cluster_disk *disks[N];
        for (uint32_t i = 0; i < N; i++)
            disks[i] = cluster_copy_disk(c->disks[i]);
        uint64_t height = cluster_stats(c, r.leader).height;
        uint32_t candidate, voter = stand_with_one_vote(c, &r, &candidate);
        uint32_t third = r.forgetful + r.late + r.others[0] - candidate - voter;
        cluster_stop(c, voter);
        cluster_roll_back(c, voter, disks[voter]);
        part(c, ALL & ~bit(candidate), bit(candidate));
        c->ignores[third] |= bit(r.leader);
        cluster_start(c, voter);
        for (int k = 0; k < 60 && !cluster_stats(c, voter).votes; k++)
            cluster_run(c, MS / 2);
        ck_assert(cluster_stats(c, voter).votes);
        c->ignores[third] = ALL;
        submit_to(c, r.leader, 1);
        cluster_run(c, 20 * MS);
        uint64_t told = cluster_stats(c, r.leader).height; /* one more, if the lost vote were nothing to its author */
        part(c, bit(candidate) | bit(third), 0);
        cluster_run(c, 300 * MS);
        ck_assert_uint_le(told, height);
        heal(c);
        for (uint32_t i = 0; i < N; i++)
            if (i != voter)
                cluster_free_disk(disks[i]);
        cluster_close(c);
    }
}
END_TEST

static uint32_t find_leader(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] && cluster_stats(c, i).engine.is_leader)
            return i;
    return CHAIN_TO_ALL;
}

/* Nobody knows whether its disk is as it was, and nobody leads who could tell. */
START_TEST(a_cluster_that_restarts_as_a_whole_elects_within_four_timeouts_and_then_does_without_two)
{
    static const uint32_t sizes[] = {5, 7};
    int64_t longest_ns = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, sizes[_i], seed, 600 * MS, 600 * MS);
        for (uint32_t i = 0; i < c->n; i++)
            cluster_stop(c, i);
        for (uint32_t i = 0; i < c->n; i++)
            cluster_start(c, i);
        int64_t from_ns = c->now_ns;
        while (find_leader(c) == CHAIN_TO_ALL && c->now_ns < from_ns + 800 * MS)
            cluster_run(c, MS);
        ck_assert_msg(find_leader(c) != CHAIN_TO_ALL, "n = %u, seed %u", c->n, (unsigned)seed);
        longest_ns = c->now_ns - from_ns > longest_ns ? c->now_ns - from_ns : longest_ns;
        cluster_run(c, 150 * MS);
        uint32_t leader = find_leader(c);
        ck_assert_msg(leader < c->n, "n = %u, seed %u", c->n, (unsigned)seed);
        cluster_stop(c, leader);
        cluster_stop(c, (leader + 1) % c->n);
        if (c->n == 7)
            cluster_stop(c, (leader + 2) % c->n);
        uint32_t at = (leader + 3) % c->n;
        uint64_t height = cluster_stats(c, at).height;
        cluster_run(c, 1500 * MS);
        struct chain_op op = evidence_op(c, 1);
        ck_assert_int_eq(cluster_submit(c, at, &op), CHAIN_SUCCESS);
        cluster_run(c, 300 * MS);
        ck_assert_msg(cluster_stats(c, at).height > height, "n = %u, seed %u", c->n, (unsigned)seed);
        cluster_close(c);
    }
    printf("n = %u, all restart: a leader after at most %lld ms\n", sizes[_i], (long long)(longest_ns / MS));
}
END_TEST

/* The leader tells it of the entry; then it hears those alone that do not hold it, and asks again, since its own log is shorter than what it was told of. */
START_TEST(who_forgot_and_is_told_less_when_it_asks_again_votes_no_more)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, N, seed, 600 * MS, 600 * MS);
        struct roles r = cast(c);
        struct cluster_disk *old = cluster_copy_disk(c->disks[r.forgetful]);
        uint64_t height = cluster_stats(c, r.leader).height, log = cluster_stats(c, r.forgetful).engine.log_index;
        part(c, bit(r.leader) | bit(r.forgetful), bit(r.late) | bit(r.others[0]) | bit(r.others[1]));
        submit_to(c, r.leader, 1);
        cluster_run(c, 12 * MS);
        ck_assert_uint_gt(cluster_stats(c, r.forgetful).engine.log_index, log);
        cluster_stop(c, r.forgetful);
        cluster_roll_back(c, r.forgetful, old);
        for (uint32_t i = 0; i < N; i++)
            c->ignores[i] = ALL & ~bit(r.forgetful);
        c->ignores[r.forgetful] = bit(r.others[1]);
        cluster_start(c, r.forgetful);
        for (int k = 0; k < 100 && !cluster_stats(c, r.forgetful).votes; k++)
            cluster_run(c, MS / 2);
        ck_assert(cluster_stats(c, r.forgetful).votes);
        c->ignores[r.leader] = ALL;
        c->ignores[r.forgetful] = bit(r.leader);
        bool asked = false;
        for (int k = 0; k < 3000 && !(asked && !c->nodes[r.forgetful]->asks_again); k++) {
            cluster_run(c, MS / 4);
            asked |= c->nodes[r.forgetful]->asks_again;
        }
        ck_assert(asked);
        part(c, bit(r.leader) | bit(r.late), bit(r.forgetful) | bit(r.others[0]) | bit(r.others[1]));
        cluster_run(c, 400 * MS);
        submit_to(c, r.others[0], 2);
        cluster_run(c, 1500 * MS);
        ck_assert_msg(cluster_stats(c, r.others[0]).height <= height || cluster_stats(c, r.leader).height <= height, "seed %u", (unsigned)seed);
        heal(c);
        cluster_close(c);
    }
}
END_TEST

/* The leader is out of earshot while one starts again with its disk whole; of the four one is gone once they have elected. Three are enough. */
START_TEST(who_started_again_without_a_leader_votes_once_the_next_one_has_answered)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct cluster *c = cluster_open_registered(&chain_raft_ops, N, seed, 600 * MS, 600 * MS);
        struct roles r = cast(c);
        part(c, ALL & ~bit(r.leader), 0);
        cluster_stop(c, r.forgetful);
        cluster_start(c, r.forgetful);
        uint32_t four[] = {r.forgetful, r.late, r.others[0], r.others[1]}, lead = CHAIN_TO_ALL, gone = CHAIN_TO_ALL;
        for (int k = 0; k < 8000 && lead == CHAIN_TO_ALL; k++) {
            cluster_run(c, MS / 4);
            for (uint32_t i = 0; i < 4; i++)
                lead = cluster_stats(c, four[i]).engine.is_leader ? four[i] : lead;
        }
        ck_assert_msg(lead < N, "seed %u", (unsigned)seed);
        for (uint32_t i = 1; i < 4; i++)
            gone = four[i] != lead ? four[i] : gone;
        uint32_t three = ALL & ~bit(r.leader) & ~bit(gone);
        part(c, three, 0);
        cluster_run(c, 1500 * MS);
        c->blackout = true; /* until whoever leads has stepped down */
        cluster_run(c, 3000 * MS);
        c->blackout = false;
        cluster_run(c, 2000 * MS);
        uint64_t height = cluster_stats(c, lead).height;
        submit_to(c, lead, 1);
        cluster_run(c, 2000 * MS);
        ck_assert_msg(cluster_stats(c, lead).height > height, "seed %u", (unsigned)seed);
        heal(c);
        cluster_close(c);
    }
}
END_TEST

/* One helped another to stand, which did not hear of it. That says nothing of a vote where no lost vote can do harm. */
START_TEST(who_starts_again_among_three_or_four_deposes_nobody)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint32_t n = 3 + (uint32_t)_i;
        struct cluster *c = cluster_open_registered(&chain_raft_ops, n, seed, 600 * MS, 600 * MS);
        uint32_t leader = cluster_stats(c, 0).engine.leader, stands = (leader + 1) % n, helps = (leader + 2) % n;
        uint64_t term = cluster_stats(c, leader).engine.view;
        c->ignores[stands] = ALL;
        c->ignores[helps] = ALL & ~bit(stands);
        for (int k = 0; k < 1500 && cluster_stats(c, helps).engine.promised == term; k++)
            cluster_run(c, MS);
        ck_assert_uint_eq(cluster_stats(c, helps).engine.promised, term + 1);
        c->ignores[helps] = 0;
        c->ignores[stands] = bit(helps);
        cluster_run(c, 500 * MS); /* it hears the leader again before it hears of the help */
        c->ignores[stands] = 0;
        ck_assert_uint_eq(cluster_stats(c, leader).engine.view, term);
        cluster_stop(c, stands);
        cluster_start(c, stands);
        cluster_run(c, 2000 * MS);
        ck_assert(cluster_stats(c, stands).votes);
        ck_assert_msg(cluster_stats(c, leader).engine.is_leader && cluster_stats(c, leader).engine.view == term, "n = %u, seed %u", n, (unsigned)seed);
        cluster_close(c);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("forgot");
    tcase_add_test(tc, who_forgot_helps_to_elect_nobody_while_what_it_forgot_may_be_counted);
    tcase_add_test(tc, who_forgot_votes_once_the_others_of_a_later_term_have_told_it_more);
    tcase_add_test(tc, who_forgot_a_vote_is_told_of_its_term_by_those_that_helped_the_candidate_to_stand);
    tcase_add_loop_test(tc, a_cluster_that_restarts_as_a_whole_elects_within_four_timeouts_and_then_does_without_two, 0, 2);
    tcase_add_test(tc, who_forgot_and_is_told_less_when_it_asks_again_votes_no_more);
    tcase_add_test(tc, who_started_again_without_a_leader_votes_once_the_next_one_has_answered);
    tcase_add_loop_test(tc, who_starts_again_among_three_or_four_deposes_nobody, 0, 2);
    suite_add_tcase(suite, tc);
}
