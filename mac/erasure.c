#include "mac/erasure.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { POLYNOMIAL = 0x11d };

static uint8_t multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0, x = a;
    for (unsigned y = b; y != 0; y >>= 1) {
        if ((y & 1) != 0)
            product ^= x;
        x = (x << 1) ^ ((x & 0x80) != 0 ? POLYNOMIAL : 0);
    }
    return (uint8_t)product;
}

/* a^254: the multiplicative group has 255 elements. */
static uint8_t invert(uint8_t a)
{
    uint8_t result = 1, power = a;
    for (unsigned bit = 1; bit < 8; bit++) {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    return result;
}

static uint8_t coefficient(unsigned number, unsigned column)
{
    return invert((uint8_t)(number ^ column));
}

/* out += factor * in, through the products of the two halves of an octet. */
static void add_scaled(uint8_t *out, const uint8_t *in, size_t len, uint8_t factor)
{
    uint8_t low[16], high[16];
    for (unsigned i = 0; i < 16; i++) {
        low[i] = multiply(factor, (uint8_t)i);
        high[i] = multiply(factor, (uint8_t)(i << 4));
    }
    for (size_t i = 0; i < len; i++)
        out[i] ^= (uint8_t)(low[in[i] & 15] ^ high[in[i] >> 4]);
}

static void scale(uint8_t *octets, size_t len, uint8_t factor)
{
    for (size_t i = 0; i < len; i++)
        octets[i] = multiply(octets[i], factor);
}

void mac_erasure_encode(const uint8_t *message, unsigned k, size_t piece_len, unsigned number, uint8_t *out)
{
    assert(k >= 1 && number >= k && number < MAC_ERASURE_PIECES);
    memset(out, 0, piece_len);
    for (unsigned column = 0; column < k; column++)
        add_scaled(out, message + column * piece_len, piece_len, coefficient(number, column));
}

/* Takes what is known of the message out of the further pieces: what stays is a combination of the missing ones only. */
static void remove_known(uint8_t *message, unsigned k, size_t piece_len, const uint8_t *holes, const uint8_t *numbers, unsigned n)
{
    bool missing[MAC_ERASURE_PIECES] = {false};
    for (unsigned i = 0; i < n; i++)
        missing[holes[i]] = true;
    for (unsigned i = 0; i < n; i++)
        for (unsigned column = 0; column < k; column++)
            if (!missing[column])
                add_scaled(message + holes[i] * piece_len, message + column * piece_len, piece_len, coefficient(numbers[i], column));
}

void mac_erasure_decode(uint8_t *message, unsigned k, size_t piece_len, const uint8_t *holes, const uint8_t *numbers, unsigned n_holes)
{
    uint8_t matrix[MAC_ERASURE_HOLES][MAC_ERASURE_HOLES];
    assert(n_holes <= MAC_ERASURE_HOLES);
    remove_known(message, k, piece_len, holes, numbers, n_holes);
    for (unsigned i = 0; i < n_holes; i++)
        for (unsigned j = 0; j < n_holes; j++)
            matrix[i][j] = coefficient(numbers[i], holes[j]);
    /* Gauss-Jordan: each leading part is a Cauchy matrix too, so that no pivot is zero */
    for (unsigned pivot = 0; pivot < n_holes; pivot++) {
        uint8_t *row = message + holes[pivot] * piece_len, factor = invert(matrix[pivot][pivot]);
        scale(matrix[pivot], n_holes, factor);
        scale(row, piece_len, factor);
        for (unsigned i = 0; i < n_holes; i++) {
            uint8_t lead = matrix[i][pivot];
            if (i == pivot || lead == 0)
                continue;
            add_scaled(matrix[i], matrix[pivot], n_holes, lead);
            add_scaled(message + holes[i] * piece_len, row, piece_len, lead);
        }
    }
}
