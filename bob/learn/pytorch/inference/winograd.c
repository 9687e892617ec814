/* Convolutions in float32 with fewer multiplications than their definition has.
 *
 * Winograd's minimal filtering: a patch of the image and a filter are polynomials; what
 * they are at some points is multiplied, and makes the outputs of a tile. The sums over
 * input channels, nearly all of the work, become a product of matrices for each point.
 *
 * Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
 *
 * Images are (batch, height, width, channels) in memory, what PyTorch calls
 * channels_last. Channels are multiples of 16. One call uses one thread.
 *
 * `winograd_lanes.h`, the work itself, is included once per width of vectors; a call
 * picks the widest that the processor knows. Compile with -O3 -ffp-contract=fast:
 * without contraction the products take twice as many instructions.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    MOST = 8,    /* points along an axis */
    SLICE = 16,  /* channels side by side, a line of the cache; counts are multiples */
    PADDED = 32, /* output channels are padded to it: the widest panel, 2 x 16 lanes */
    BLOCK = 48,  /* most tiles that are worked at together */
};

/* A kind of convolution. Along both axes of a patch, `points` inputs make points - taps
 * + 1 outputs. A step along an axis goes so many outputs down and right: other than 1
 * where the axes are not those of the image.
 *
 * With stride 2, inputs at odd and at even places are separate images: taps 0 and 2 see
 * the odd ones, tap 1 alone the even ones. They go into the same sums. At infinity only
 * the last of two taps counts, so there the even ones are left out. */
struct kind {
    int taps[2], points[2], down[2], right[2];
    int stride, padding[2];
    int band, starts; /* rows of a row of tiles, and in how many of them tiles begin */
    int across;       /* columns of a tile */
};

/* In the order of `KINDS` in winograd.py. */
enum { SQUARE, HALVING, ROW, COLUMN3, COLUMN5, KINDS };
static const struct kind kinds[] = {
    /* 3x3: 48 multiplications for 4 x 6 outputs, where the definition takes 216. */
    [SQUARE] = {{3, 3}, {6, 8}, {1, 0}, {0, 1}, 1, {1, 1}, 4, 1, 6},
    /* 3x3, stride 2: 117 for 4 x 6, not 216. */
    [HALVING] = {{2, 2}, {5, 7}, {1, 0}, {0, 1}, 2, {1, 1}, 4, 1, 6},
    /* 1x9, seen as 3x3 where a step down goes 3 columns: 25 for 9, not 81. */
    [ROW] = {{3, 3}, {5, 5}, {0, 0}, {3, 1}, 1, {0, 0}, 1, 1, 9},
    /* 3x1 over every third row: 8 for 6, not 18. */
    [COLUMN3] = {{1, 3}, {1, 8}, {0, 3}, {0, 0}, 1, {3, 0}, 18, 3, 1},
    /* 5x1 over every second row: 8 for 4, not 20. */
    [COLUMN5] = {{1, 5}, {1, 8}, {0, 2}, {0, 0}, 1, {4, 0}, 8, 2, 1},
};

/* Where a tile lies: its image, and its first output. */
struct tile {
    ptrdiff_t item, row, column;
};

/* What a call was given, and the block of tiles that it works at. */
struct work {
    const struct kind *kind;
    const float *x, *packed, *bias, *residual;
    float *y;
    ptrdiff_t batch, height, width, in, out_height, out_width, out, padded;
    int relu;
    struct tile tiles[BLOCK];
    ptrdiff_t count, v_stride, m_stride;
    float *zeros, *v, *m;
};

#define INLINE static inline __attribute__((always_inline))

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

static ptrdiff_t in_steps(ptrdiff_t n, ptrdiff_t step) { return (n + step - 1) / step; }

static ptrdiff_t padded(ptrdiff_t n) { return in_steps(n, PADDED) * PADDED; }

static int points_of(const struct kind *kind) {
    return kind->points[0] * kind->points[1];
}

/* Images that an input is separated into, as far as they count at a point. */
static int phases_at(const struct kind *kind, int point) {
    const int i = point / kind->points[1], j = point % kind->points[1];
    if (kind->stride == 1) return 1;
    return (i < kind->points[0] - 1 ? 2 : 1) * (j < kind->points[1] - 1 ? 2 : 1);
}

/* Floats from one point's matrix to the next: odd in cache lines, so that the places
 * that a transform writes to do not fall into the same few sets of the cache. */
static ptrdiff_t point_stride(ptrdiff_t tiles, ptrdiff_t channels) {
    return (tiles * channels / SLICE | 1) * SLICE;
}

static ptrdiff_t v_stride(const struct kind *kind, ptrdiff_t tiles, ptrdiff_t in) {
    return point_stride(tiles, in * phases_at(kind, 0));
}

/* Tiles in a block: few enough that what it needs stays in the cache, but more where
 * the filters do not, since each block reads them all. Blocks are of even size: a last
 * one of few tiles would be slow. */
static ptrdiff_t block_size(const struct work *work) {
    const struct kind *kind = work->kind;
    const ptrdiff_t left = work->out_height % kind->band;
    const ptrdiff_t starts =
        work->out_height / kind->band * kind->starts + least(left, kind->starts);
    const ptrdiff_t tiles =
        work->batch * starts * in_steps(work->out_width, kind->across);
    const ptrdiff_t enough = work->in * work->out > 128 * 128 ? BLOCK : BLOCK / 2;
    return tiles ? in_steps(tiles, in_steps(tiles, enough)) : 0;
}

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, VARIANT)
#define vec NAME(vec)
#define loose NAME(loose)
#define ints NAME(ints)

#if defined(__x86_64__)
#define LANES 16
#define ROWS 12
#define VARIANT avx512
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#include "winograd_lanes.h"
#define LANES 8
#define ROWS 6
#define VARIANT avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "winograd_lanes.h"
#endif
#define LANES 4
#define ROWS 6
#define VARIANT plain
#define TARGET
#include "winograd_lanes.h"

static int most = 16;

/* For tests, before anything is packed: at most 16, 8 or 4 lanes. */
void winograd_limit(int lanes) { most = lanes; }

/* Floats in a vector of the variant that runs here. The packing depends on it. */
int winograd_lanes(void) {
#if defined(__x86_64__)
    const int fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (most >= 16 && fused && __builtin_cpu_supports("avx512f")) return 16;
    if (most >= 8 && fused) return 8;
#endif
    return 4;
}

/* Floats that `winograd_prepare` writes. */
size_t winograd_packed_size(int kind, int out_channels, int in_channels) {
    ptrdiff_t images = 0;
    for (int point = 0; point < points_of(kinds + kind); point++)
        images += phases_at(kinds + kind, point);
    return (size_t)(images * padded(out_channels) * in_channels);
}

/* Floats of scratch that `winograd_convolve` needs. */
size_t winograd_scratch_size(int kind, int out_channels, int in_channels) {
    const ptrdiff_t v = v_stride(kinds + kind, BLOCK, in_channels);
    const ptrdiff_t m = point_stride(BLOCK, padded(out_channels));
    return (size_t)(points_of(kinds + kind) * (v + m) + in_channels + SLICE);
}

static int supported(int kind, int out_channels, int in_channels) {
    const int known = kind >= 0 && kind < KINDS;
    const int some = out_channels > 0 && in_channels > 0;
    return known && some && !((out_channels | in_channels) % SLICE);
}

/* What a tap counts at a point: scale * point^tap, at infinity the last tap alone. */
static double share(int taps, int points, int point, int tap) {
    static const double places[] = {0, 1, -1, 2, -2, 1. / 2, -1. / 2};
    double value = 1;
    if (point == points - 1) return tap == taps - 1;
    for (int other = 0; other < points - 1; other++)
        if (other != point) value /= places[point] - places[other];
    while (tap--) value *= places[point];
    return value;
}

/* What each tap of a filter counts at a point, in a phase; gives how many there are. */
static int shares(const struct kind *kind, int point, int phase, double to[9]) {
    const int across = kind->stride == 1 ? kind->taps[1] : 3;
    const int count = kind->stride == 1 ? kind->taps[0] * kind->taps[1] : 9;
    const int i = point / kind->points[1], j = point % kind->points[1];
    const int phases = j < kind->points[1] - 1 ? kind->stride : 1;
    for (int tap = 0; tap < count; tap++) {
        const int a = tap / across, b = tap % across, stride = kind->stride;
        to[tap] = a % stride != phase / phases || b % stride != phase % phases ? 0
            : share(kind->taps[0], kind->points[0], i, a / stride) *
              share(kind->taps[1], kind->points[1], j, b / stride);
    }
    return count;
}

/* Pack filters (out, in, taps) in the order in which the products read them: (point,
 * panel of 2 vectors of outputs, phase, input channel, output in the panel).
 * Returns 0, and does nothing, unless both counts are multiples of 16. */
int winograd_prepare(int kind, const float *filters, int out_channels, int in_channels,
                     float *packed) {
    const ptrdiff_t panel = 2 * winograd_lanes(), in = in_channels, out = out_channels;
    if (!supported(kind, out_channels, in_channels)) return 0;
    const size_t size = winograd_packed_size(kind, out_channels, in_channels);
    memset(packed, 0, size * sizeof(float));
    for (int point = 0; point < points_of(kinds + kind); point++) {
        const int phases = phases_at(kinds + kind, point);
        for (int phase = 0; phase < phases; phase++) {
            double counts[9]; /* in double: once per model, it is free */
            const int taps = shares(kinds + kind, point, phase, counts);
            for (ptrdiff_t o = 0; o < out; o++)
                for (ptrdiff_t i = 0; i < in; i++) {
                    const ptrdiff_t at = (o / panel * phases + phase) * in + i;
                    double sum = 0;
                    for (int tap = 0; tap < taps; tap++)
                        sum += counts[tap] * filters[(o * in + i) * taps + tap];
                    packed[at * panel + o % panel] = (float)sum;
                }
        }
        packed += padded(out) * in * phases;
    }
    return 1;
}

/* Convolve: y = conv(x) + bias, + residual where it is not NULL, then ReLU if `relu`.
 *
 * `y` has the size that follows from the kind, and may be `residual` but not `x`. An
 * image's outputs are the same bits in any batch, and above any zeros. A value that is
 * not finite spreads over its tile.
 * Returns 0, and does nothing, for channels that `winograd_prepare` refuses. */
int winograd_convolve(int kind, const float *x, int batch, int height, int width,
                      int in_channels, const float *packed, const float *bias,
                      const float *residual, int relu, float *y, int out_height,
                      int out_width, int out_channels, float *scratch) {
    struct work work = {
        .kind = kinds + kind, .x = x, .packed = packed, .bias = bias,
        .residual = residual, .y = y, .batch = batch, .height = height, .width = width,
        .in = in_channels, .out_height = out_height, .out_width = out_width,
        .out = out_channels, .padded = padded(out_channels), .relu = relu};
    if (!supported(kind, out_channels, in_channels)) return 0;
    scratch += (SLICE - (uintptr_t)scratch / sizeof(float) % SLICE) % SLICE;
#if defined(__x86_64__)
    const int lanes = winograd_lanes();
    if (lanes > 4) (lanes == 16 ? run_avx512 : run_avx2)(&work, scratch);
    else
#endif
        run_plain(&work, scratch);
    return 1;
}
