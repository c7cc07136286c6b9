/* Distances between places, in integers, so that every replica finds the same. Pure.
 *
 * A place is a point of a sphere with the earth's mean radius (6371008.8 m, IUGG), in cartesian centimetres; the squared chord between
 * two is a sum of three squares and knows neither antimeridian nor poles. Coordinates are within 2 cm of the exact ones. A sphere is
 * off by up to .6 % of the distance against the WGS 84 ellipsoid; heights do not count. */
#ifndef CHAIN_PLACE_H
#define CHAIN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct chain_place {
    int32_t lat_e7, lon_e7; /* degrees, 1e-7 */
};

/* From here on a radius covers the earth: half its circumference in metres, rounded up. */
enum { CHAIN_PLACE_EVERYWHERE_M = 20015115 };

/* |latitude| <= 90 and |longitude| <= 180 degrees; both ends of the longitude name one meridian. */
bool chain_place_valid(const struct chain_place *place);
/* Both places are valid. Squared chord in cm^2, at most 1.63e18. */
int64_t chain_place_chord2_cm2(const struct chain_place *a, const struct chain_place *b);
/* Is the way along the ground from a to b at most radius_m? Two areas of radii r and s touch if their centres are
 * within r + s. To the centimetres above, but for radii that all but cover the earth: 25 km short of that it is right again. */
bool chain_place_within(const struct chain_place *a, const struct chain_place *b, uint64_t radius_m);
#endif
