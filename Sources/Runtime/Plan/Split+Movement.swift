import CKernels
import Tape

/// Movement that threads share: strided copies by rows of the result, scatters by tables, columns or ranges of rows, random numbers
/// by runs. Where a cut lies changes no bit.
extension Split {
  /// A strided copy with its axes merged, the one of the longest steps in the result first.
  struct Axes: BitwiseCopyable {
    static let most = 4
    var rank = 0
    var source = 0, destination = 0
    var shape = SIMD4<Int64>(), from = SIMD4<Int64>(), to = SIMD4<Int64>()
  }

  /// Random numbers of one run.
  static let run = 4096

  /// The row's geometry is that of one strided copy.
  mutating func copy(_ s: KernelStep) -> Double {
    let g = s.geometry, rank = s.type.rank
    guard g.count == 2 + 3 * rank else { return 0 }
    let shape = g[2 ..< 2 + rank], from = g[(2 + rank) ..< (2 + 2 * rank)], to = g[(2 + 2 * rank)...]
    var list: [(n: Int, from: Int, to: Int)] = []
    for (n, (f, t)) in zip(shape, zip(from, to)).sorted(by: { $0.1.1 > $1.1.1 }) where n != 1 {
      if let l = list.last, l.from == f &* n, l.to == t &* n { list[list.count - 1] = (l.n * n, f, t) } else { list.append((n, f, t)) }
    }
    guard let first = list.first, list.count <= Axes.most, first.n > 1, first.to > 0 else { return 0 }
    axes = Axes(rank: list.count, source: g[0], destination: g[1])
    for (i, l) in list.enumerated() { (axes.shape[i], axes.from[i], axes.to[i]) = (Int64(l.n), Int64(l.from), Int64(l.to)) }
    way = .copy
    // Whole tiles of a transpose.
    rowPanel = first.n >= 256 ? 16 : 1
    if list.count == 1 { rowPanel = max(4096 / size, 1) }
    units = (first.n + rowPanel - 1) / rowPanel
    let runs = list.last.map { $0.from == 1 || $0.from == 0 } ?? true
    return Double(s.type.count) * (runs ? 0.03 * Double(size) : 0.3)
  }

  mutating func scatter(_ s: KernelStep, _ threads: Int) -> Double {
    let g = s.geometry
    (batch, outer, n, m, inner, op) = (g[0], g[1], g[2], g[3], g[4], Int32(g[6]))
    way = .scatter
    (rowPanel, columnPanel, rows, columns) = (n, inner, 1, 1)
    let half = s.type.dtype.isHalf
    let work = Double(batch * outer * m) * (1 + (half ? 0.5 : 0.05) * Double(inner * size)) + 0.02 * Double(s.type.count * size)
    if batch * outer > 1 {
      units = batch == 1 ? outer : batch
    } else if inner * size >= 256 {
      columnPanel = 64 / size
      columns = (inner + columnPanel - 1) / columnPanel
      units = columns
    } else if n * inner * size > 1 << 19 || inner > 3 {
      // Every lane looks at all indices and takes those of its rows: worth it where an addition costs more than a look.
      rows = Threads.lanes(work, pieces: n, threads: threads)
      rowPanel = (n + rows - 1) / rows
      units = rows
    }
    return work
  }

  mutating func random(_ s: KernelStep) -> Double {
    batch = s.types[0].count
    n = s.type.count / max(batch, 1)
    columns = (n + Split.run - 1) / Split.run
    units = batch * columns
    way = .random
    return Double(s.type.count) * (s.type.dtype == .f64 ? 1 : 0.5)
  }

  /// Panels of columns; with masks one thread does all.
  mutating func conv(_ s: KernelStep, _ threads: Int) -> Double {
    guard s.attrs[5] + s.attrs[6] == 0 else { return 0 }
    let g = s.geometry.map { Int64($0) }, taps = g[18] * g[25] * g[32] * g[4]
    units = ck_conv_units(dtype, g)
    inner = ck_conv_scratch(dtype, g)
    way = .conv
    let float = s.type.dtype.isFloat, each = float && inner > 0 ? (s.type.dtype == .f64 ? 0.03 : 0.015) : float ? 0.15 : 1
    let work = Double(s.type.count) * (Double(taps) * each + 2)
    scratch = inner * (max(Threads.lanes(work, pieces: units, threads: threads), 1) - 1)
    return work
  }

  mutating func pool(_ s: KernelStep) -> Double {
    let g = s.geometry
    dtype = s.types[0].dtype.rawValue
    units = s.type.count / max(g[1] * g[7] * g[13], 1)
    way = .pool
    return Double(s.type.count) * Double(g[2] * g[8] * g[14])
  }

  // MARK: running

  func copy(_ from: Int, _ to: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer) {
    var shape = axes.shape
    let start = from * rowPanel, a = axes
    shape[0] = Int64(min(to * rowPanel, Int(shape[0])) - start)
    let source = x[0] + (a.source + start * Int(a.from[0])) * size, destination = out + (a.destination + start * Int(a.to[0])) * size
    withUnsafeBytes(of: shape) { n in
      withUnsafeBytes(of: a.from) { f in
        withUnsafeBytes(of: a.to) { t in
          guard let n = n.baseAddress, let f = f.baseAddress, let t = t.baseAddress else { return }
          ck_copy_strided(size, a.rank, n.assumingMemoryBound(to: Int64.self), source, f.assumingMemoryBound(to: Int64.self),
                          destination, t.assumingMemoryBound(to: Int64.self))
        }
      }
    }
  }

  /// Operands: indices, updates.
  func scatter(_ from: Int, _ to: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer, _ scratch: UnsafeMutableRawPointer?) -> Bool {
    var part = ck_scatter_part(row: 0, row_end: n, inner: 0, inner_end: inner)
    var (b, o, index, table, updates) = (batch, outer, 0, 0, 0)
    if batch * outer > 1 {
      (b, o) = batch == 1 ? (1, to - from) : (to - from, outer)
      let first = batch == 1 ? from : from * outer
      (table, updates) = (first * n * inner, first * m * inner)
      if batch > 1 { index = from * m * (op == DType.i64.rawValue ? 8 : 4) }
    } else if columns > 1 {
      (part.inner, part.inner_end) = (from * columnPanel, min(to * columnPanel, inner))
    } else {
      (part.row, part.row_end) = (min(from * rowPanel, n), min(to * rowPanel, n))
    }
    let sums = scratch.map { $0.assumingMemoryBound(to: Float.self) + table }
    return ck_scatter_add_part(dtype, op, x[0] + index, x[1] + updates * size, out + table * size, sums, b, o, n, m, inner, &part) < 0
  }

  /// The operand: keys.
  func random(_ from: Int, _ to: Int, _ x: UnsafePointer<UnsafeRawPointer>, _ out: UnsafeMutableRawPointer) {
    let keys = x[0].assumingMemoryBound(to: Int64.self)
    for u in from ..< to {
      let b = u / columns, first = u % columns * Split.run
      ck_random_uniform_part(dtype, keys[b], out + (b * n + first) * size, first, min(Split.run, n - first))
    }
  }
}

/// What runs along an axis, by columns; sorts, by lines.
extension Split {
  mutating func running(_ s: KernelStep) -> Double {
    let t = s.types[0]
    dtype = t.dtype.rawValue
    (outer, n, inner) = around(t.shape, axis: s.attrs[0])
    (m, units) = (s.attrs[1], ck_running_count(outer, inner))
    way = .running
    let r: Running
    switch s.op {
    case .cumprod: r = .prod
    case .cummax: r = .max
    case .cummin: r = .min
    case .cumargmax: r = .argmax
    case .cumargmin: r = .argmin
    case .cumlogsumexp: r = .logsumexp
    default: (r, way) = (.prod, .recurrence)
    }
    op = Int32(r.rawValue)
    return Double(t.count) * (r == .logsumexp ? 8 : 1)
  }

  mutating func order(_ s: KernelStep, _ threads: Int) -> Double {
    let t = s.types[0]
    dtype = t.dtype.rawValue
    (outer, n, inner) = around(t.shape, axis: s.attrs[0])
    (op, units) = (Int32(s.attrs[1]), outer * inner)
    way = s.op == .sort ? .sort : .argsort
    if way == .argsort { m = s.attrs[2] }
    let work = Double(t.count) * 15, own = ck_sort_scratch(dtype, way == .argsort, n)
    // A lane's scratch; the row's own is the last one's.
    k = (own + 63) / 64 * 64
    scratch = k * (max(Threads.lanes(work, pieces: units, threads: threads), 1) - 1)
    return work
  }
}
