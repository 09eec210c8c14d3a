import CKernels
import Tape

/// How the step of a row's kernel is shared between threads: units that do not depend on each other, of which a piece takes some.
struct Split: BitwiseCopyable {
  enum Way: UInt8 { case serial, reduce, line, argmax, softmax, cumsum, gather, product, copy, scatter, random, conv, pool, running, recurrence, sort, argsort }
  var way = Way.serial
  var op: Int32 = 0
  var dtype: Int32 = 0, size = 0
  var lanes = 1
  var units = 1
  /// Bytes of scratch beyond the row's own.
  var scratch = 0
  // Reductions: outer, n, inner. Gather: batch, outer, n, m, inner. Products: batch, m, n, k.
  var batch = 1, outer = 1, m = 1, n = 1, k = 1, inner = 1
  // Products: elements from one matrix of a batch to the next, transposed, which operands are masks, panels of C; `inner` is a lane's scratch.
  var stepA = 0, stepB = 0
  var ta = false, tb = false
  var maskA: Int32 = -1, maskB: Int32 = -1, bitsA = false, bitsB = false
  /// What is added, and how far apart its rows are.
  var plus: Int32 = -1, plusRow = 0
  var rows = 1, columns = 1
  var rowPanel = 1, columnPanel = 1
  var axes = Axes()

  static let none = Split()

  /// At most `threads` lanes; serial where the work is small or of another kind.
  static func make(_ s: KernelStep, threads: Int) -> Split {
    if threads < 2 || s.type.count == 0 || s.types.contains(where: { $0.count == 0 }) { return none }
    var x = Split()
    x.dtype = s.type.dtype.rawValue
    x.size = s.type.dtype.size
    let work: Double = switch s.op {
    case .sum, .prod, .max, .min, .logsumexp, .norm: x.reduction(s)
    case .argmax, .argmin, .softmax, .cumsum: x.along(s)
    case .cumprod, .cummax, .cummin, .cumargmax, .cumargmin, .cumlogsumexp, .recurrence: x.running(s)
    case .sort, .argsort: x.order(s, threads)
    case .gather: x.gather(s)
    case .matmul: x.product(s, threads)
    case .transpose, .slice, .broadcast: x.copy(s)
    case .scatterAdd: x.scatter(s, threads)
    case .random: x.random(s)
    case .conv: x.conv(s, threads)
    case .poolIndex: x.pool(s)
    default: 0
    }
    x.lanes = Threads.lanes(work, pieces: x.units, threads: threads)
    return x.lanes > 1 ? x : none
  }

  /// Nanoseconds for an element that is read and hardly touched.
  private static func light(_ d: DType) -> Double { d.isHalf ? 0.4 : 0.04 * Double(d.size) }

  private mutating func reduction(_ s: KernelStep) -> Double {
    let g = s.geometry
    guard g.count >= 4, g[0] == 0, !s.attrs.isEmpty || s.op == .norm else { return 0 }
    (outer, n, inner) = (g[1], g[2], g[3])
    way = .reduce
    var each = Split.light(s.types[0].dtype)
    let r: Reduction = switch s.op {
    case .sum: .sum
    case .prod: .prod
    case .max: .max
    case .min: .min
    case .logsumexp: .logsumexp
    default: .norm
    }
    op = Int32(r.rawValue)
    if s.op == .logsumexp { each *= 12 } else if s.op == .norm { each *= 3 }
    units = ck_strips(outer, n, inner)
    let parts = ck_line_parts(dtype, n)
    if outer == 1, inner == 1, parts > 1, s.op != .logsumexp, s.op != .norm {
      way = .line
      units = parts
      scratch = parts * Int(CK_LINE_PART)
    }
    return each * Double(s.types[0].count)
  }

  private mutating func along(_ s: KernelStep) -> Double {
    let t = s.types[0]
    dtype = t.dtype.rawValue
    (outer, n, inner) = around(t.shape, axis: s.attrs[0])
    units = s.op == .cumsum ? ck_cumsum_count(outer, inner) : ck_strips(outer, n, inner)
    let each: Double
    switch s.op {
    case .softmax: (way, each) = (.softmax, t.dtype == .f64 ? 5 : 2)
    case .cumsum: (way, each) = (.cumsum, 1)
    default: (way, each) = (.argmax, 0.5)
    }
    op = s.op == .argmin ? 1 : s.op == .cumsum && s.attrs[1] != 0 ? 1 : 0
    return each * Double(t.count)
  }

  private mutating func gather(_ s: KernelStep) -> Double {
    let b = s.attrs[1], axis = s.types[0].rank + s.attrs[0], shape = s.types[0].shape
    batch = shape[..<b].reduce(1, &*)
    outer = shape[b ..< axis].reduce(1, &*)
    n = shape[axis]
    m = s.types[1].shape[b...].reduce(1, &*)
    inner = shape[(axis + 1)...].reduce(1, &*)
    op = s.types[1].dtype.rawValue
    way = .gather
    // Rows of one table, or the tables themselves.
    units = batch == 1 && outer == 1 ? m : batch == 1 ? outer : batch
    return Double(batch * outer * m) * (1 + 0.1 * Double(inner * size))
  }

  private mutating func product(_ s: KernelStep, _ threads: Int) -> Double {
    let out = s.type
    (ta, tb) = (s.attrs[0] != 0, s.attrs[1] != 0)
    if s.attrs[2] != 0 { maskA = 2 }
    if s.attrs[3] != 0 { maskB = s.attrs[2] != 0 ? 3 : 2 }
    (bitsA, bitsB) = (s.attrs[2] == 2, s.attrs[3] == 2)
    if s.attrs.count > 4 { (plus, plusRow) = (Int32(s.operands.count - 1), s.attrs[4]) }
    (m, n) = (out.shape[out.rank - 2], out.shape[out.rank - 1])
    k = s.types[0].shape[s.types[0].rank - 1 - s.attrs[0]]
    batch = out.count / (m * n)
    if out.rank > 2, s.types[1].rank == 2, !ta {   // a shared right factor: one product over all rows
      m *= batch
      batch = 1
    }
    stepA = s.types[0].rank > 2 && batch > 1 ? m * k : 0
    stepB = s.types[1].rank > 2 && batch > 1 ? k * n : 0
    let float = out.dtype.isFloat, volume = Double(m) * Double(n) * Double(k) * Double(batch)
    let bytes = Double(m * k + k * n + m * n) * Double(batch * size)
    let work = volume * (out.dtype == .f64 ? 0.025 : float ? 0.0125 : 0.5) + bytes * (out.dtype.isHalf ? 0.2 : 0.02)
    way = .product
    panels(threads)
    inner = float ? ck_gemm_scratch(dtype, ta, tb, m, n, k) : 0
    scratch = inner * (max(Threads.lanes(work, pieces: units, threads: threads), 1) - 1)
    return work
  }

  /// Cuts C into two panels a thread: columns as far as they stay wide, which packs no operand twice unless it is a transposed left
  /// one, then rows. With masks rows alone.
  private mutating func panels(_ threads: Int) {
    (rowPanel, columnPanel, rows, columns) = (m, n, 1, 1)
    var wanted = (2 * threads + batch - 1) / batch
    if batch >= 2 * threads { wanted = 1 }
    if wanted > 1, maskA < 0, maskB < 0, n >= 128 {
      let most = m == 1 ? n / 64 : max(n / 96, 2)
      columnPanel = up((n + min(wanted, most) - 1) / min(wanted, most), 64 / min(size, 8))
      columns = (n + columnPanel - 1) / columnPanel
      wanted = (wanted + columns - 1) / columns
    }
    if wanted > 1, m >= 128 {
      rowPanel = up((m + min(wanted, m / 64) - 1) / min(wanted, m / 64), 16)
      rows = (m + rowPanel - 1) / rowPanel
    }
    units = batch * rows * columns
  }

  // MARK: running

  /// A range of units, on `lane`. False when an index lies outside.
  func run(_ from: Int, _ to: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer?, _ geometry: UnsafePointer<Int64>?,
           lane: Int) -> Bool {
    switch way {
    case .reduce: if let r = Reduction(rawValue: UInt32(op)) { ck_reduce_strips(r, dtype, x[0], out, outer, n, inner, from, to) }
    case .line: if let r = Reduction(rawValue: UInt32(op)) { for p in from ..< to { ck_reduce_part(r, dtype, x[0], n, p, scratch) } }
    case .argmax: ck_argmax_strips(dtype, op != 0, x[0], out.assumingMemoryBound(to: Int64.self), outer, n, inner, from, to)
    case .softmax: ck_softmax_strips(dtype, x[0], out, outer, n, inner, from, to)
    case .cumsum: ck_cumsum_strips(dtype, x[0], out, n, inner, op != 0, from, to)
    case .running: if let r = Running(rawValue: UInt32(op)) { ck_running_strips(r, dtype, x[0], out, outer, n, inner, m != 0, from, to) }
    case .recurrence: ck_recurrence_strips(dtype, x[0], x[1], out, outer, n, inner, m != 0, from, to)
    case .sort: ck_sort(dtype, op != 0, x[0], out, n, inner, scratch.map { $0 + lane * k }, from, to)
    case .argsort: ck_argsort(dtype, op != 0, x[0], out.assumingMemoryBound(to: Int64.self), n, m, inner, scratch.map { $0 + lane * k }, from, to)
    case .gather: return rows(from, to, x, out) < 0
    case .product:
      if rows == 1, columns == 1, maskA < 0, maskB < 0, plus < 0 {
        ck_gemm_batch(dtype, ta, tb, m, n, k, x[0] + from * stepA * size, stepA, x[1] + from * stepB * size, stepB, out + from * m * n * size, m * n,
                      to - from, range(0, 0), scratch.map { $0 + lane * inner })
      } else {
        for u in from ..< to { product(u, x, out, scratch, lane) }
      }
    case .copy: copy(from, to, x, out)
    case .scatter: return scatter(from, to, x, out, scratch)
    case .random: random(from, to, x, out)
    case .conv: if let g = geometry { ck_convolve(dtype, g, x[0], x[1], out, from, to, scratch.map { $0 + lane * inner }) }
    case .pool: if let g = geometry { ck_pool_index(dtype, g, x[0], size == 8, out, from, to) }
    case .serial: break
    }
    return true
  }

  private func rows(_ from: Int, _ to: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer) -> Int64 {
    let count = to - from, row = inner * size, index = op == DType.i64.rawValue ? 8 : 4
    if batch == 1, outer == 1 { return ck_gather(size, x[0], op, x[1] + from * index, out + from * row, 1, 1, n, count, inner) }
    if batch == 1 { return ck_gather(size, x[0] + from * n * row, op, x[1], out + from * m * row, 1, count, n, m, inner) }
    return ck_gather(size, x[0] + from * outer * n * row, op, x[1] + from * m * index, out + from * outer * m * row, count, outer, n, m, inner)
  }

  private func product(_ u: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer?, _ lane: Int) {
    let b = u / (rows * columns), i = u / columns % rows, j = u % columns
    let a = x[0] + b * stepA * size, w = x[1] + b * stepB * size, c = out + b * m * n * size
    if maskA < 0, maskB < 0, plus < 0 { return ck_gemm_range(dtype, ta, tb, m, n, k, a, w, c, range(i, j), scratch.map { $0 + lane * inner }) }
    let ma = ck_mask(p: maskA < 0 ? nil : x[Int(maskA)].assumingMemoryBound(to: UInt8.self), first: b * stepA, bits: bitsA)
    let mb = ck_mask(p: maskB < 0 ? nil : x[Int(maskB)].assumingMemoryBound(to: UInt8.self), first: b * stepB, bits: bitsB)
    if plus >= 0 { return ck_gemm_sum(dtype, ta, tb, m, n, k, a, ma, w, mb, x[Int(plus)], plusRow, c, range(i, j), scratch.map { $0 + lane * inner }) }
    let r = range(i, 0)
    ck_gemm_range(dtype, ta, tb, m, n, k, a, w, c, r, scratch.map { $0 + lane * inner })
    ck_gemm_mend(dtype, ta, tb, m, n, k, a, ma, w, mb, c, r.i, r.i_end)
  }

  /// The last panel takes what is left.
  private func range(_ i: Int, _ j: Int) -> ck_range {
    ck_range(i: i * rowPanel, i_end: i == rows - 1 ? m : (i + 1) * rowPanel, j: j * columnPanel, j_end: j == columns - 1 ? n : (j + 1) * columnPanel)
  }

  /// What follows when all units are done, on one thread.
  func finish(_ out: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer?) {
    if way == .line, let r = Reduction(rawValue: UInt32(op)) { ck_reduce_join(r, dtype, n, scratch, out) }
  }
}
