/* A systematic erasure code over GF(2^8): k pieces of a message are sent as they are, and any number of further pieces, numbered k..255,
 * each a linear combination of all of them. Any k different pieces give the message back (maximum distance separable): the
 * coefficients 1 / (number + column) form a Cauchy matrix, every square part of which can be inverted (J. Bloemer et al., "An XOR-based
 * erasure-resilient coding scheme", ICSI TR-95-048, 1995). Field polynomial x^8 + x^4 + x^3 + x^2 + 1. Pure. */
#ifndef MAC_ERASURE_H
#define MAC_ERASURE_H

#include <stddef.h>
#include <stdint.h>

enum {
    MAC_ERASURE_PIECES = 256, /* numbers that a piece may have: of the message and beyond it */
    MAC_ERASURE_HOLES = 64    /* pieces of the message that decoding can replace */
};

/* Writes piece `number` (k..255) of a message of k pieces (1..255), each piece_len octets, one behind the other, to out[piece_len]. */
void mac_erasure_encode(const uint8_t *message, unsigned k, size_t piece_len, unsigned number, uint8_t *out);

/* Fills n_holes (at most MAC_ERASURE_HOLES) missing pieces of a message in place: on entry the place of piece holes[i] holds the
 * further piece numbers[i] (k..255, all different); on return it holds the piece itself. */
void mac_erasure_decode(uint8_t *message, unsigned k, size_t piece_len, const uint8_t *holes, const uint8_t *numbers, unsigned n_holes);
#endif
