/* Slot plans at work: the one that this station announced, or follows. At most one at a time (docs/mac.md). */
#ifndef MAC_SLOTS_H
#define MAC_SLOTS_H

#include "mac/mac.h"

enum { MAC_SLOT_ANSWER_BYTES = 512 };

struct mac_slots {
    bool active, own;            /* a plan runs; it is this station's */
    bool again;                  /* it asks those whose slot stayed empty */
    bool answering;              /* the frame that is out goes in a slot */
    struct mac_slot_plan wanted; /* of the group message that waits */
    uint16_t message_id;         /* own: of the message that it belongs to */
    struct mac_slot_plan plan;
    int64_t origin_ns, end_ns;   /* the frame's end; that of the last slot's frame */
    int64_t mine_ns[MAC_SLOT_PHASES]; /* own slots that are to come; INT64_MAX: none */
    int64_t announce_ns;         /* own: what is left has to be said again then; INT64_MAX: all is said */
    uint32_t heard;              /* own: who answered in the last phase, by position */
    size_t answer_len;           /* what was said in the last own slot, for who did not hear it; 0: nothing */
    uint8_t answer[MAC_SLOT_ANSWER_BYTES];
};

struct mac;
struct mac_frame;

void mac_slots_init(struct mac_slots *s);
/* The own frame that announced a plan has left. */
void mac_slots_announced(struct mac *m, uint16_t message_id, int64_t end_ns);
/* A group frame of another station; the plan in it, if there is one, is followed if it may be. */
void mac_slots_heard(struct mac *m, const struct mac_frame *frame, int64_t start_ns, int64_t end_ns, int64_t now_ns);
/* Own slots, and what follows the plan's end. */
void mac_slots_run(struct mac *m, int64_t now_ns, struct mac_update *out);
/* A plan that runs is over: its own, as if nobody else had answered; another's, left. */
void mac_slots_cut(struct mac *m, int64_t now_ns);
int64_t mac_slots_deadline(const struct mac *m);
/* What a frame that ends at end_ns has to reserve so that its neighbours leave the plan alone; 0: no plan. */
int64_t mac_slots_left_ns(const struct mac *m, int64_t end_ns);
#endif
