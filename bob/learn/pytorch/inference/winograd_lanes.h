/* The work of winograd.c with vectors of so many LANES.
 *
 * Whoever includes it defines LANES, ROWS (of the products, as many as fit into the
 * registers), VARIANT (a suffix of all names) and TARGET (an attribute of functions):
 * GCC and Clang turn the same vector code into AVX-512, AVX2 or what there is anyway.
 */

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
