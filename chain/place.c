#include "chain/place.h"

static const int64_t RADIUS_CM = 637100880;
static const int64_t DEG = 10000000; /* in 1e-7 degrees */

enum { Q = 31 }; /* fixed point: products of two such numbers of at most 1 fit int64 */
static const int64_t ONE = INT64_C(1) << Q;

static int64_t mul(int64_t a, int64_t b)
{
    return (a * b + (ONE >> 1)) >> Q;
}

/* Maclaurin's series for 0 <= x <= pi/4: what is left out is below 2^-36. */
static int64_t sin_small(int64_t x)
{
    int64_t xx = mul(x, x), sum = ONE;
    for (int64_t k = 10; k >= 2; k -= 2)
        sum = ONE - mul(xx, sum) / (k * (k + 1));
    return mul(x, sum);
}

static int64_t cos_small(int64_t x)
{
    int64_t xx = mul(x, x), sum = ONE;
    for (int64_t k = 11; k >= 1; k -= 2)
        sum = ONE - mul(xx, sum) / (k * (k + 1));
    return sum;
}

/* Angles from 0 to 45 degrees in 1e-7 degrees. */
static int64_t to_radians(int64_t angle_e7)
{
    static const int64_t RADIAN_PER_E7 = INT64_C(16097821018); /* pi / 1.8e9 x 2^63 */
    return (angle_e7 * RADIAN_PER_E7 + (INT64_C(1) << 31)) >> 32;
}

/* |angle| <= 180 degrees */
static void sin_cos(int64_t angle_e7, int64_t *sin_out, int64_t *cos_out)
{
    int64_t a = angle_e7 < 0 ? -angle_e7 : angle_e7;
    bool obtuse = a > 90 * DEG;
    a = obtuse ? 180 * DEG - a : a;
    bool steep = a > 45 * DEG;
    int64_t x = to_radians(steep ? 90 * DEG - a : a);
    int64_t s = steep ? cos_small(x) : sin_small(x), c = steep ? sin_small(x) : cos_small(x);
    *sin_out = angle_e7 < 0 ? -s : s;
    *cos_out = obtuse ? -c : c;
}

struct point {
    int64_t x, y, z; /* cm */
};

static struct point point_of(const struct chain_place *place)
{
    int64_t sin_lat, cos_lat, sin_lon, cos_lon;
    sin_cos(place->lat_e7, &sin_lat, &cos_lat);
    sin_cos(place->lon_e7, &sin_lon, &cos_lon);
    return (struct point){.x = mul(RADIUS_CM, mul(cos_lat, cos_lon)),
                          .y = mul(RADIUS_CM, mul(cos_lat, sin_lon)),
                          .z = mul(RADIUS_CM, sin_lat)};
}

bool chain_place_valid(const struct chain_place *place)
{
    return place->lat_e7 >= -90 * DEG && place->lat_e7 <= 90 * DEG && place->lon_e7 >= -180 * DEG && place->lon_e7 <= 180 * DEG;
}

int64_t chain_place_chord2_cm2(const struct chain_place *a, const struct chain_place *b)
{
    struct point p = point_of(a), q = point_of(b);
    int64_t x = p.x - q.x, y = p.y - q.y, z = p.z - q.z;
    return x * x + y * y + z * z;
}

bool chain_place_within(const struct chain_place *a, const struct chain_place *b, uint64_t radius_m)
{
    static const int64_t QUARTER_TURN = INT64_C(3373259426); /* pi / 2 */
    if (radius_m >= CHAIN_PLACE_EVERYWHERE_M)
        return true;
    int64_t half = (int64_t)radius_m * 100 * ONE / (2 * RADIUS_CM); /* of the angle at the earth's centre */
    int64_t sine = 2 * half <= QUARTER_TURN ? sin_small(half) : cos_small(QUARTER_TURN - half);
    int64_t chord_cm = mul(2 * RADIUS_CM, sine);
    return chain_place_chord2_cm2(a, b) <= chord_cm * chord_cm;
}
