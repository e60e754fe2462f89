// Matrix products over all tokens at once: the twin of matmul.rs.
//
//   C[m,n] = sum_k A[m,k] B[k,n]       any strides, fp32 sums
//
// and what a linear layer does with it: tanh(C + bias) on the way forward; C added to a gradient,
// and the sums of A's rows to the bias's, on the way back.
#include "numeric.cuh"

namespace {
constexpr int TILE = 64, DEPTH = 16, EACH = 4; // 256 threads, 4 x 4 results each
}

enum Epilogue : int { WRITE = 0, ADD = 1, TANH = 2 };

// grid (ceil(m/64), ceil(n/64)), block 256.
template <class W>
__device__ void matmul(const float *a, long long a_row, long long a_col, const W *b,
                       long long b_row, long long b_col, float *c, const W *bias, float *row_sums,
                       int m, int n, int k, int epilogue, int mode) {
    __shared__ float as[DEPTH][TILE + 4], bs[DEPTH][TILE + 4];
    const int m0 = blockIdx.x * TILE, n0 = blockIdx.y * TILE, tid = threadIdx.x;
    const int tm = tid / 16 * EACH, tn = tid % 16 * EACH;
    const bool sums_rows = row_sums != nullptr && blockIdx.y == 0 && tid < TILE;
    float sum[EACH][EACH] = {}, row_sum = 0.0f;
    // The next tile travels from memory to registers while this one is multiplied.
    constexpr int LOADS = TILE * DEPTH / 256;
    float next_a[LOADS], next_b[LOADS];
    // Neighbouring threads take neighbouring addresses, whichever way the matrices lie.
    const bool a_by_rows = a_col == 1, b_by_columns = b_row == 1;
    const auto load = [&](int k0) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const int at = tid + i * 256;
            const int ak = k0 + (a_by_rows ? at % DEPTH : at / TILE);
            const int am = m0 + (a_by_rows ? at / DEPTH : at % TILE);
            next_a[i] = am < m && ak < k ? a[am * a_row + ak * a_col] : 0;
            const int bk = k0 + (b_by_columns ? at % DEPTH : at / TILE);
            const int bn = n0 + (b_by_columns ? at / DEPTH : at % TILE);
            next_b[i] = bn < n && bk < k ? value(b[bk * b_row + bn * b_col]) : 0;
        }
    };
    load(0);
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const int at = tid + i * 256;
            as[a_by_rows ? at % DEPTH : at / TILE][a_by_rows ? at / DEPTH : at % TILE] = next_a[i];
            bs[b_by_columns ? at % DEPTH : at / TILE][b_by_columns ? at / DEPTH : at % TILE] =
                next_b[i];
        }
        __syncthreads();
        if (k0 + DEPTH < k) load(k0 + DEPTH);
#pragma unroll
        for (int kk = 0; kk < DEPTH; kk++) {
            float av[EACH], bv[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                av[i] = as[kk][tm + i];
                bv[i] = bs[kk][tn + i];
            }
#pragma unroll
            for (int i = 0; i < EACH; i++) {
#pragma unroll
                for (int j = 0; j < EACH; j++) sum[i][j] += av[i] * bv[j];
            }
            if (sums_rows) row_sum += as[kk][tid];
        }
        __syncthreads();
    }
    if (sums_rows && m0 + tid < m) row_sums[m0 + tid] += row_sum;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            const int mi = m0 + tm + i, nj = n0 + tn + j;
            if (mi >= m || nj >= n) continue;
            float *to = c + (size_t)mi * n + nj;
            if (epilogue == TANH)
                *to = round_to(mode, tanhf(sum[i][j] + value(bias[nj])));
            else
                *to = epilogue == ADD ? *to + sum[i][j] : sum[i][j];
        }
    }
}

struct MatmulArguments {
    const float *a;
    const void *b;
    float *c;
    const void *bias;
    float *row_sums;
    long long a_row, a_col, b_row, b_col;
    int m, n, k, epilogue, mode, padding;
};
ASSERT_SIZE(MatmulArguments, 96);
ASSERT_OFFSET(MatmulArguments, a, 0);
ASSERT_OFFSET(MatmulArguments, b, 8);
ASSERT_OFFSET(MatmulArguments, c, 16);
ASSERT_OFFSET(MatmulArguments, bias, 24);
ASSERT_OFFSET(MatmulArguments, row_sums, 32);
ASSERT_OFFSET(MatmulArguments, a_row, 40);
ASSERT_OFFSET(MatmulArguments, a_col, 48);
ASSERT_OFFSET(MatmulArguments, b_row, 56);
ASSERT_OFFSET(MatmulArguments, b_col, 64);
ASSERT_OFFSET(MatmulArguments, m, 72);
ASSERT_OFFSET(MatmulArguments, n, 76);
ASSERT_OFFSET(MatmulArguments, k, 80);
ASSERT_OFFSET(MatmulArguments, epilogue, 84);
ASSERT_OFFSET(MatmulArguments, mode, 88);
ASSERT_OFFSET(MatmulArguments, padding, 92);

template <class W> __device__ void matmul(const MatmulArguments &p) {
    matmul(global(p.a), p.a_row, p.a_col, global((const W *)p.b), p.b_row, p.b_col, global(p.c),
           global((const W *)p.bias), global(p.row_sums), p.m, p.n, p.k, p.epilogue, p.mode);
}
FOR_WEIGHTS(matmul, __launch_bounds__(256), MatmulArguments)
