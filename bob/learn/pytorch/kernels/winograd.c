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
 * The file includes itself, once per width of vectors: GCC and Clang turn the same
 * vector code into AVX-512, AVX2 or what the target has anyway; a call picks the widest
 * that the processor knows. Compile with -O3 -ffp-contract=fast: without contraction
 * the products take twice as many instructions.
 */
#ifndef LANES

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
#include "winograd.c"
#define LANES 8
#define ROWS 6
#define VARIANT avx2
#define TARGET __attribute__((target("avx2,fma")))
#include "winograd.c"
#endif
#define LANES 4
#define ROWS 6
#define VARIANT plain
#define TARGET
#include "winograd.c"

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

#else /* LANES: one variant */

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(LANES * 4)));

/* Five inputs to five points: 0, 1, -1, 2, infinity. */
TARGET INLINE void NAME(input5)(vec d[5]) {
    const vec a = d[3] - d[1], b = d[2] + d[1], c = d[2] - d[1];
    d[0] = a + 2 * (d[0] - d[2]);
    d[4] = d[4] - d[2] - 2 * a;
    d[1] = a - b, d[2] = a - 3 * c, d[3] = a;
}

/* Six inputs to six points: 0, 1, -1, 2, -2, infinity. */
TARGET INLINE void NAME(input6)(vec d[6]) {
    const vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1];
    const vec c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    d[0] = 4 * d[0] - 5 * d[2] + d[4];
    d[5] = 4 * d[1] - 5 * d[3] + d[5];
    d[1] = a + b, d[2] = a - b, d[3] = c + e, d[4] = c - e;
}

/* Seven inputs to seven points: 0, 1, -1, 2, -2, 1/2, infinity. Those but 1/2 are those
 * of six inputs, times x - 1/2. */
TARGET INLINE void NAME(input7)(vec d[7]) {
    const vec half = 4 * d[1] - 5 * d[3] + d[5];
    for (int i = 0; i < 6; i++) d[i] = d[i + 1] - 0.5f * d[i];
    NAME(input6)(d);
    d[6] = d[5], d[5] = half;
}

/* Eight inputs to eight points: 0, 1, -1, 2, -2, 1/2, -1/2, infinity. */
TARGET INLINE void NAME(input8)(vec d[8]) {
    const vec a = d[2] + d[6] - 4.25f * d[4], b = d[1] + d[5] - 4.25f * d[3];
    const vec c = 0.25f * d[2] + d[6] - 1.25f * d[4];
    const vec e = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
    const vec g = 4 * d[2] + d[6] - 5 * d[4];
    const vec h = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];
    d[0] = d[6] - d[0] + 5.25f * (d[2] - d[4]);
    d[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    d[1] = a + b, d[2] = a - b, d[3] = c + e, d[4] = c - e, d[5] = g + h, d[6] = g - h;
}

TARGET INLINE void NAME(input)(const int points, vec d[]) {
    if (points == 5) NAME(input5)(d);
    if (points == 6) NAME(input6)(d);
    if (points == 7) NAME(input7)(d);
    if (points == 8) NAME(input8)(d);
}

/* Points to outputs: output k is the sum of point^k * value; infinity, the last. */
TARGET INLINE void NAME(output)(const int points, const int outputs, vec m[]) {
    if (points == 1) return;
    const vec first = m[0], last = m[points - 1], a = m[1] + m[2], b = m[1] - m[2];
    const vec c = points > 5 ? m[3] + m[4] : m[3], e = points > 5 ? m[3] - m[4] : m[3];
    const vec g = points > 7 ? m[5] + m[6] : m[5], h = points > 7 ? m[5] - m[6] : m[5];
#pragma GCC unroll 8
    for (int k = 0; k < outputs; k++) {
        m[k] = (k % 2 ? b : a) + (float)(1 << k) * (k % 2 ? e : c);
        if (points > 6) m[k] += 1.f / (float)(1 << k) * (k % 2 ? h : g);
    }
    m[0] += first, m[outputs - 1] += last;
}

/* One tile's patch of input to its row in each of the matrices `v`: that phase of it
 * which lies so far below and beside the first. Pixels beyond the image point to zeros:
 * borders cost no other code. Those of the next tile, which are far, are asked for. */
TARGET INLINE void NAME(read_phase)(const struct kind *kind, const int below,
                                    const int beside, const struct work *work,
                                    ptrdiff_t which) {
    const struct tile *tile = work->tiles + which;
    const int points[] = {kind->points[0], kind->points[1]};
    const int high = points[0] - below, wide = points[1] - beside;
    const ptrdiff_t ahead = kind->across * kind->stride * work->in;
    const float *pixels[MOST][MOST];
    for (int i = 0; i < high; i++)
        for (int j = 0; j < wide; j++) {
            const ptrdiff_t y = tile->row + i * kind->down[0] + j * kind->down[1];
            const ptrdiff_t x = tile->column + i * kind->right[0] + j * kind->right[1];
            const ptrdiff_t r = y * kind->stride - kind->padding[0] + below;
            const ptrdiff_t c = x * kind->stride - kind->padding[1] + beside;
            const int inside = r >= 0 && r < work->height && c >= 0 && c < work->width;
            const ptrdiff_t at = (tile->item * work->height + r) * work->width + c;
            pixels[i][j] = inside ? work->x + at * work->in : work->zeros;
        }
    for (ptrdiff_t c = 0; c < work->in; c += LANES) {
        float *to = work->v + (c / SLICE * work->count + which) * SLICE + c % SLICE;
        vec patch[MOST][MOST];
        for (int j = 0; j < wide; j++) {
            vec d[MOST] = {{0}};
            for (int i = 0; i < high; i++) {
                d[i] = *(const loose *)(pixels[i][j] + c);
                __builtin_prefetch(pixels[i][j] + c + ahead);
            }
            NAME(input)(points[0], d);
            for (int i = 0; i < high; i++) patch[i][j] = d[i];
        }
        for (int i = 0; i < high; i++) {
            if (beside) patch[i][wide] = (vec){0};
            NAME(input)(points[1], patch[i]);
            for (int j = 0; j < wide; j++) {
                const int phase = below * (j < points[1] - 1 ? 2 : 1) + beside;
                *(loose *)(to + (i * points[1] + j) * work->v_stride +
                           phase * work->in * work->count) = patch[i][j];
            }
        }
    }
}

/* One tile's row of the products `m` to its outputs, those inside the image. */
TARGET INLINE void NAME(write_outputs)(const struct kind *kind, const struct work *work,
                                       ptrdiff_t which) {
    const struct tile *tile = work->tiles + which;
    const float *from = work->m + which * work->padded;
    const int points[] = {kind->points[0], kind->points[1]};
    const int high = points[0] - kind->taps[0] + 1;
    const int wide = points[1] - kind->taps[1] + 1;
    const float *place = work->residual ? work->residual : work->y;
    ptrdiff_t places[MOST][MOST];
    for (int i = 0; i < high; i++)
        for (int j = 0; j < wide; j++) {
            const ptrdiff_t r = tile->row + i * kind->down[0] + j * kind->down[1];
            const ptrdiff_t c = tile->column + i * kind->right[0] + j * kind->right[1];
            const ptrdiff_t y = tile->item * work->out_height + r;
            const ptrdiff_t at = y * work->out_width + c;
            const int inside = r < work->out_height && c < work->out_width;
            places[i][j] = inside ? at * work->out : -1;
            for (ptrdiff_t o = 0; o < work->out; o += SLICE)
                __builtin_prefetch(place + (at + kind->across) * work->out + o, 1);
        }
    for (ptrdiff_t o = 0; o < work->out; o += LANES) {
        const vec bias = *(const loose *)(work->bias + o), zero = {0};
        vec patch[MOST][MOST];
        for (int j = 0; j < points[1]; j++) {
            vec m[MOST];
            for (int i = 0; i < points[0]; i++) {
                const ptrdiff_t point = i * points[1] + j;
                m[i] = *(const loose *)(from + point * work->m_stride + o);
            }
            NAME(output)(points[0], high, m);
            for (int i = 0; i < high; i++) patch[i][j] = m[i];
        }
        for (int i = 0; i < high; i++) {
            NAME(output)(points[1], wide, patch[i]);
            for (int j = 0; j < wide; j++) {
                const ptrdiff_t at = places[i][j] + o;
                if (places[i][j] < 0) continue;
                vec sum = patch[i][j] + bias;
                if (work->residual) sum += *(const loose *)(work->residual + at);
                if (work->relu) sum = (vec)((ints)sum & ~(sum < zero));
                *(loose *)(work->y + at) = sum;
            }
        }
    }
}

/* `count` rows of `v` times one panel: sums stay in registers over all channels. The
 * loop also asks for a part of the next panel, which comes from far away. */
TARGET INLINE void NAME(multiply)(const int count, const struct work *work,
                                  ptrdiff_t slices, const float *v, const float *panel,
                                  float *m, const float *ahead) {
    const ptrdiff_t step = work->count * SLICE;
    vec sums[ROWS][2] = {{{0}}};
    for (ptrdiff_t slice = 0; slice < slices; slice++, v += step)
#pragma GCC unroll 4
        for (int k = 0; k < SLICE; k++, panel += 2 * LANES, ahead += LANES) {
            const vec left = *(const loose *)panel;
            const vec right = *(const loose *)(panel + LANES);
            __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 16
            for (int i = 0; i < count; i++) {
                sums[i][0] += v[i * SLICE + k] * left;
                sums[i][1] += v[i * SLICE + k] * right;
            }
        }
#pragma GCC unroll 16
    for (int i = 0; i < count; i++) {
        *(loose *)(m + i * work->padded) = sums[i][0];
        *(loose *)(m + i * work->padded + LANES) = sums[i][1];
    }
}

/* `multiply` with the number of rows known to the compiler: one loop for each. */
TARGET static void NAME(multiply_rows)(ptrdiff_t count, const struct work *work,
                                       ptrdiff_t slices, const float *v,
                                       const float *panel, float *m,
                                       const float *ahead) {
#define CASE(n) \
    case n: if (n <= ROWS) NAME(multiply)(n, work, slices, v, panel, m, ahead); break;
    switch (count) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
    }
#undef CASE
}

/* The products, m[point] = v[point] packed[point]. Rows are shared out evenly, since a
 * few rows alone cannot keep the processor busy. */
TARGET static void NAME(multiply_all)(const struct work *work) {
    const ptrdiff_t groups = in_steps(work->count, ROWS);
    const float *panel = work->packed;
    for (int point = 0; point < points_of(work->kind); point++) {
        const ptrdiff_t depth = work->in * phases_at(work->kind, point);
        const ptrdiff_t size = depth * 2 * LANES;
        for (ptrdiff_t o = 0; o < work->padded; o += 2 * LANES, panel += size)
            for (ptrdiff_t group = 0, row = 0; group < groups; group++) {
                const ptrdiff_t count = (work->count - row) / (groups - group);
                const float *v = work->v + point * work->v_stride + row * SLICE;
                float *m = work->m + point * work->m_stride + row * work->padded + o;
                const float *ahead = panel + size + group % 2 * size / 2;
                NAME(multiply_rows)(count, work, depth / SLICE, v, panel, m, ahead);
                row += count;
            }
    }
}

/* A block of tiles, from input to output; the kind is known to the compiler. */
TARGET INLINE void NAME(run_kind)(const struct kind *kind, const struct work *work) {
    for (int phase = 0; phase < kind->stride * kind->stride; phase++)
        for (ptrdiff_t i = 0; i < work->count; i++) {
            if (phase == 0) NAME(read_phase)(kind, 0, 0, work, i);
            if (phase == 1) NAME(read_phase)(kind, 0, 1, work, i);
            if (phase == 2) NAME(read_phase)(kind, 1, 0, work, i);
            if (phase == 3) NAME(read_phase)(kind, 1, 1, work, i);
        }
    NAME(multiply_all)(work);
    for (ptrdiff_t i = 0; i < work->count; i++) NAME(write_outputs)(kind, work, i);
}

TARGET static void NAME(run_block)(struct work *work) {
    work->v_stride = v_stride(work->kind, work->count, work->in);
    work->m_stride = point_stride(work->count, work->padded);
    work->m = work->v + points_of(work->kind) * work->v_stride;
#define CASE(kind) case kind: NAME(run_kind)(kinds + kind, work); break;
    switch (work->kind - kinds) {
        CASE(SQUARE) CASE(HALVING) CASE(ROW) CASE(COLUMN3) CASE(COLUMN5)
    }
#undef CASE
    work->count = 0;
}

/* All images: their tiles in blocks, which go on from one image to the next. */
TARGET static void NAME(run)(struct work *work, float *scratch) {
    const struct kind *kind = work->kind;
    const ptrdiff_t full = block_size(work);
    work->zeros = memset(scratch, 0, (size_t)work->in * sizeof(float));
    work->v = scratch + work->in;
    for (ptrdiff_t item = 0; item < work->batch; item++)
        for (ptrdiff_t row = 0; row < work->out_height; row++) {
            if (row % kind->band >= kind->starts) continue;
            for (ptrdiff_t left = 0; left < work->out_width; left += kind->across) {
                work->tiles[work->count++] = (struct tile){item, row, left};
                if (work->count == full) NAME(run_block)(work);
            }
        }
    if (work->count) NAME(run_block)(work);
}

#undef LANES
#undef ROWS
#undef VARIANT
#undef TARGET
#endif
