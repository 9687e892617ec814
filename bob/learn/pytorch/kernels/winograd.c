/* 3x3 convolutions (stride 1, padding 1) in float32 with fewer multiplications.
 *
 * Winograd's minimal filtering, F(4, 3) over height and F(6, 3) over width: one tile of
 * 4 x 6 outputs costs 48 multiplications per pair of channels instead of 216. The sums
 * over input channels, nearly all of the work, become 48 products of matrices.
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
    TILE_HEIGHT = 4, PATCH_HEIGHT = 6, /* outputs of a tile, inputs that they depend on */
    TILE_WIDTH = 6, PATCH_WIDTH = 8,
    POINTS = PATCH_HEIGHT * PATCH_WIDTH,
    SLICE = 16,  /* channels side by side, one line of the cache; counts are multiples */
    PADDED = 32, /* output channels are padded to it: the widest panel, 2 x 16 lanes */
    /* Most tiles in a block: what it needs stays in the cache, and yet the packed
     * filters are read seldom. 24 to 96 measured alike. */
    BLOCK = 48,
};

/* Where a tile lies: its image, its first row and column, and its image's rows. */
struct tile {
    ptrdiff_t item, row, column, rows;
};

/* What a call was given, and the block of tiles that it works at. */
struct work {
    const float *x, *packed, *bias, *residual;
    const int32_t *lengths;
    float *y;
    ptrdiff_t batch, height, width, in, out, padded;
    int relu;
    struct tile tiles[BLOCK];
    ptrdiff_t count, v_stride, m_stride;
    float *zeros, *v, *m;
};

#define INLINE static inline __attribute__((always_inline))

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

static ptrdiff_t in_steps(ptrdiff_t n, ptrdiff_t step) { return (n + step - 1) / step; }

static ptrdiff_t padded(ptrdiff_t n) { return in_steps(n, PADDED) * PADDED; }

/* Floats from one point's matrix to the next: odd in cache lines, so that the 48 places
 * that a transform writes to do not fall into the same few sets of the cache. */
static ptrdiff_t point_stride(ptrdiff_t tiles, ptrdiff_t channels) {
    return (tiles * channels / SLICE | 1) * SLICE;
}

/* Rows of an image that count. */
static ptrdiff_t rows_of(const struct work *work, ptrdiff_t item) {
    const ptrdiff_t rows = work->lengths ? work->lengths[item] : work->height;
    return rows < 0 ? 0 : least(rows, work->height);
}

/* Tiles in a block, all blocks of even size: a last one of few tiles would be slow. */
static ptrdiff_t block_size(const struct work *work) {
    ptrdiff_t bands = 0;
    for (ptrdiff_t item = 0; item < work->batch; item++)
        bands += in_steps(rows_of(work, item), TILE_HEIGHT);
    const ptrdiff_t tiles = bands * in_steps(work->width, TILE_WIDTH);
    return tiles ? in_steps(tiles, in_steps(tiles, BLOCK)) : 0;
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
size_t winograd_packed_size(int out_channels, int in_channels) {
    return (size_t)(POINTS * padded(out_channels) * in_channels);
}

/* Floats of scratch that `winograd_convolve` needs. */
size_t winograd_scratch_size(int out_channels, int in_channels) {
    const ptrdiff_t v_stride = point_stride(BLOCK, in_channels);
    const ptrdiff_t m_stride = point_stride(BLOCK, padded(out_channels));
    return (size_t)(POINTS * (v_stride + m_stride) + in_channels + SLICE);
}

static int supported(int out_channels, int in_channels) {
    return out_channels > 0 && in_channels > 0 && !((out_channels | in_channels) % SLICE);
}

/* What the tap counts at a point: scale * point^tap, at infinity the last tap alone. */
static double share(const double scales[], int points, int point, int tap) {
    static const double places[] = {0, 1, -1, 2, -2, 1. / 2, -1. / 2};
    if (point == points - 1) return tap == 2;
    return scales[point] * (tap > 0 ? places[point] : 1) * (tap > 1 ? places[point] : 1);
}

/* One filter at the 48 points, `stride` apart. In double: once per model, it is free. */
static void transform_filter(const float filter[9], float *to, ptrdiff_t stride) {
    static const double tall[] = {1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24};
    static const double wide[] = {1,       -2. / 9,  -2. / 9, 1. / 90,
                                  1. / 90, 32. / 45, 32. / 45};
    for (int point = 0; point < POINTS; point++) {
        double sum = 0;
        for (int tap = 0; tap < 9; tap++)
            sum += filter[tap] * share(tall, PATCH_HEIGHT, point / PATCH_WIDTH, tap / 3) *
                   share(wide, PATCH_WIDTH, point % PATCH_WIDTH, tap % 3);
        to[point * stride] = (float)sum;
    }
}

/* Pack filters (out, in, 3, 3) in the order in which the products read them:
 * (point, panel of 2 vectors of outputs, input channel, output in the panel).
 * Returns 0, and does nothing, unless both counts are multiples of 16. */
int winograd_prepare(const float *filters, int out_channels, int in_channels,
                     float *packed) {
    const ptrdiff_t panel = 2 * winograd_lanes(), in = in_channels;
    const ptrdiff_t point_size = padded(out_channels) * in;
    if (!supported(out_channels, in_channels)) return 0;
    memset(packed, 0, (size_t)(POINTS * point_size) * sizeof(float));
    for (ptrdiff_t o = 0; o < out_channels; o++)
        for (ptrdiff_t i = 0; i < in; i++) {
            float *to = packed + o / panel * panel * in + i * panel + o % panel;
            transform_filter(filters + (o * in + i) * 9, to, point_size);
        }
    return 1;
}

/* Convolve: y = conv(x) + bias, + residual where it is not NULL, then ReLU if `relu`.
 *
 * `lengths`, where not NULL, has the rows of each image that count: those after them
 * are read as zeros, whatever they hold, and written as zeros. `y` may be `residual`
 * but not `x`. An image's outputs are the same bits in any batch and padding. A value
 * that is not finite spreads over its tile of 4 x 6.
 * Returns 0, and does nothing, for channels that `winograd_prepare` refuses. */
int winograd_convolve(const float *x, int batch, int height, int width, int in_channels,
                      const float *packed, const float *bias, const float *residual,
                      int relu, const int32_t *lengths, float *y, int out_channels,
                      float *scratch) {
    struct work work = {
        .x = x, .packed = packed, .bias = bias, .residual = residual, .lengths = lengths,
        .y = y, .batch = batch, .height = height, .width = width, .relu = relu,
        .in = in_channels, .out = out_channels, .padded = padded(out_channels)};
    if (!supported(out_channels, in_channels)) return 0;
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

/* Six inputs to six points: 0, 1, -1, 2, -2, infinity. */
TARGET INLINE void NAME(input6)(vec d[6]) {
    const vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1];
    const vec c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    d[0] = 4 * d[0] - 5 * d[2] + d[4];
    d[5] = 4 * d[1] - 5 * d[3] + d[5];
    d[1] = a + b, d[2] = a - b, d[3] = c + e, d[4] = c - e;
}

/* Eight inputs to eight points: 0, 1, -1, 2, -2, 1/2, -1/2, infinity. */
TARGET INLINE void NAME(input8)(vec d[8]) {
    const vec a = d[2] + d[6] - 4.25f * d[4], b = d[1] + d[5] - 4.25f * d[3];
    const vec c = 0.25f * d[2] + d[6] - 1.25f * d[4];
    const vec e = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
    const vec g = 4 * d[2] + d[6] - 5 * d[4];
    const vec h = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];
    d[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
    d[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
    d[1] = a + b, d[2] = a - b, d[3] = c + e, d[4] = c - e, d[5] = g + h, d[6] = g - h;
}

/* Six points to four outputs. */
TARGET INLINE void NAME(output4)(vec m[6]) {
    const vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], e = m[3] - m[4];
    m[0] = m[0] + a + c;
    m[1] = b + 2 * e;
    m[2] = a + 4 * c;
    m[3] = b + 8 * e + m[5];
}

/* Eight points to six outputs. */
TARGET INLINE void NAME(output6)(vec m[8]) {
    const vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], e = m[3] - m[4];
    const vec g = m[5] + m[6], h = m[5] - m[6];
    m[0] = m[0] + a + c + g;
    m[1] = b + 2 * e + 0.5f * h;
    m[2] = a + 4 * c + 0.25f * g;
    m[3] = b + 8 * e + 0.125f * h;
    m[4] = a + 16 * c + 0.0625f * g;
    m[5] = b + 32 * e + 0.03125f * h + m[7];
}

/* One tile's patch of input to its row in each of the 48 matrices `v`. Pixels beyond
 * the image point to zeros: borders cost no other code. */
TARGET static void NAME(read_tile)(const struct work *work, ptrdiff_t which) {
    const struct tile *tile = work->tiles + which;
    const float *pixels[POINTS];
    for (ptrdiff_t i = 0; i < POINTS; i++) {
        const ptrdiff_t r = tile->row - 1 + i / PATCH_WIDTH;
        const ptrdiff_t c = tile->column - 1 + i % PATCH_WIDTH;
        const int inside = r >= 0 && r < tile->rows && c >= 0 && c < work->width;
        const ptrdiff_t at = (tile->item * work->height + r) * work->width + c;
        pixels[i] = inside ? work->x + at * work->in : work->zeros;
    }
    for (ptrdiff_t c = 0; c < work->in; c += LANES) {
        float *to = work->v + (c / SLICE * work->count + which) * SLICE + c % SLICE;
        vec patch[PATCH_HEIGHT][PATCH_WIDTH];
        for (int j = 0; j < PATCH_WIDTH; j++) {
            vec d[PATCH_HEIGHT];
            for (int i = 0; i < PATCH_HEIGHT; i++)
                d[i] = *(const loose *)(pixels[i * PATCH_WIDTH + j] + c);
            NAME(input6)(d);
            for (int i = 0; i < PATCH_HEIGHT; i++) patch[i][j] = d[i];
        }
        for (int i = 0; i < PATCH_HEIGHT; i++) {
            NAME(input8)(patch[i]);
            for (int j = 0; j < PATCH_WIDTH; j++)
                *(loose *)(to + (i * PATCH_WIDTH + j) * work->v_stride) = patch[i][j];
        }
    }
}

/* One tile's row of the 48 products `m` to its outputs, those inside the image. */
TARGET static void NAME(write_tile)(const struct work *work, ptrdiff_t which) {
    const struct tile *tile = work->tiles + which;
    const float *from = work->m + which * work->padded;
    const ptrdiff_t stride = work->m_stride, step = work->out;
    const ptrdiff_t rows = least(tile->rows - tile->row, TILE_HEIGHT);
    const ptrdiff_t columns = least(work->width - tile->column, TILE_WIDTH);
    const ptrdiff_t corner =
        ((tile->item * work->height + tile->row) * work->width + tile->column) * step;
    for (ptrdiff_t o = 0; o < step; o += LANES) {
        vec patch[TILE_HEIGHT][PATCH_WIDTH];
        for (int j = 0; j < PATCH_WIDTH; j++) {
            vec m[PATCH_HEIGHT];
            for (int i = 0; i < PATCH_HEIGHT; i++)
                m[i] = *(const loose *)(from + (i * PATCH_WIDTH + j) * stride + o);
            NAME(output4)(m);
            for (int i = 0; i < TILE_HEIGHT; i++) patch[i][j] = m[i];
        }
        const vec bias = *(const loose *)(work->bias + o), zero = {0};
        for (ptrdiff_t i = 0; i < rows; i++) {
            NAME(output6)(patch[i]);
            for (ptrdiff_t j = 0; j < columns; j++) {
                const ptrdiff_t at = corner + (i * work->width + j) * step + o;
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
                                  const float *v, const float *panel, float *m,
                                  const float *ahead) {
    const ptrdiff_t slices = work->in / SLICE, step = work->count * SLICE;
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
                                       const float *v, const float *panel, float *m,
                                       const float *ahead) {
#define CASE(n) \
    case n: if (n <= ROWS) NAME(multiply)(n, work, v, panel, m, ahead); break;
    switch (count) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
    }
}

/* The 48 products, m[point] = v[point] packed[point]. Rows are shared out evenly, since
 * a few rows alone cannot keep the processor busy. */
TARGET static void NAME(multiply_all)(const struct work *work) {
    const ptrdiff_t size = work->in * 2 * LANES, groups = in_steps(work->count, ROWS);
    const float *panel = work->packed;
    for (ptrdiff_t point = 0; point < POINTS; point++)
        for (ptrdiff_t o = 0; o < work->padded; o += 2 * LANES, panel += size)
            for (ptrdiff_t group = 0, row = 0; group < groups; group++) {
                const ptrdiff_t count = (work->count - row) / (groups - group);
                const float *v = work->v + point * work->v_stride + row * SLICE;
                float *m = work->m + point * work->m_stride + row * work->padded + o;
                const float *ahead = panel + size + group % 2 * size / 2;
                NAME(multiply_rows)(count, work, v, panel, m, ahead);
                row += count;
            }
}

/* A block of tiles, from input to output. */
TARGET static void NAME(run_block)(struct work *work) {
    work->v_stride = point_stride(work->count, work->in);
    work->m_stride = point_stride(work->count, work->padded);
    work->m = work->v + POINTS * work->v_stride;
    for (ptrdiff_t i = 0; i < work->count; i++) NAME(read_tile)(work, i);
    NAME(multiply_all)(work);
    for (ptrdiff_t i = 0; i < work->count; i++) NAME(write_tile)(work, i);
    work->count = 0;
}

/* All images: their tiles in blocks, which go on from one image to the next. */
TARGET static void NAME(run)(struct work *work, float *scratch) {
    const ptrdiff_t full = block_size(work), line = work->width * work->out;
    work->zeros = memset(scratch, 0, (size_t)work->in * sizeof(float));
    work->v = scratch + work->in;
    for (ptrdiff_t item = 0; item < work->batch; item++) {
        const ptrdiff_t rows = rows_of(work, item);
        for (ptrdiff_t row = 0; row < rows; row += TILE_HEIGHT)
            for (ptrdiff_t column = 0; column < work->width; column += TILE_WIDTH) {
                work->tiles[work->count++] = (struct tile){item, row, column, rows};
                if (work->count == full) NAME(run_block)(work);
            }
        memset(work->y + (item * work->height + rows) * line, 0,
               (size_t)((work->height - rows) * line) * sizeof(float));
    }
    if (work->count) NAME(run_block)(work);
}

#undef LANES
#undef ROWS
#undef VARIANT
#undef TARGET
#endif
