import CKernels
import Tape

/// A place of a row program: a register, which holds some rows, or a value's memory.
struct RowEntry: BitwiseCopyable {
  var value: Int32 = -1
  var register: Int32 = -1
  /// Bytes an element, elements a row.
  var size: Int32, width: Int
  /// Memory whose pointer moves on with the rows.
  var advances = false
  /// Memory that is stretched, element i is (i / rep) % period, or seen through a map that begins there in `RowCode.maps`.
  var rep = 1, period = 1
  var map: Int32 = -1
}

/// On some rows at a time, all that an instruction does is for elements in a row of those rows.
struct RowInstruction {
  enum Way: UInt8 {
    /// kernel(x, y, z, out) on `width` elements a row.
    case kernel
    /// From memory x that is stretched or mapped.
    case stretch, stage
    /// Element i is x's element i / rep.
    case spread
    /// Each of `outer` parts of a row of x, [n, inner].
    case reduce, softmax
    /// Bools from and to memory where they lie as bits.
    case unpack, pack
  }
  var way = Way.kernel
  var kernel: ck_kernel?
  var x: Int32, y: Int32 = 0, z: Int32 = 0, out: Int32
  var width: Int
  var rep = 1
  var op: UInt32 = 0, dtype: Int32 = 0
  var outer = 0, n = 0, inner = 0
}

/// A register filled once a run, and the memory that repeats in it.
struct RowFill: BitwiseCopyable { var source: Int32, target: Int32 }

/// A cluster over `count` rows, run some rows at a time: elementwise operators, reductions within a row and their results stretched
/// along it again. What stays inside a row never leaves the cache. The bits are those of the operators one by one, since no
/// kernel's result for a row depends on another.
struct RowCode {
  let count: Int
  private(set) var block = 1
  /// Number 0 stands for no operand.
  private(set) var entries = [RowEntry(size: 0, width: 0)]
  private(set) var instructions: [RowInstruction] = []
  private(set) var fills: [RowFill] = []
  private(set) var maps: [Int] = []
  /// Bytes a row of each register, and where it begins in the scratch.
  private(set) var registers: [Int] = [], places: [Int] = []
  private(set) var scratch = 0
  let operations: Int
  private(set) var work = 0.0
  private(set) var folds = 0, stored = 0

  private var bits = false
  private var free: [Int: [Int32]] = [:]
  private var kept: Set<Int32> = []

  var laneBytes: Int { up(scratch, 64) &+ up(entries.count &* 2 &* MemoryLayout<UInt>.stride, 64) }
  func lanes(_ threads: Int) -> Int { Threads.lanes(work * Double(count), pieces: count / max(block, 1), threads: threads) }

  init(_ g: Graph, _ c: borrowing Clusters, _ values: borrowing Values, step s: Int, _ local: BlockCode.Local) throws(Failure) {
    let info = c.steps[s], members = c.members.p + Int(info.start), entry = local.entry.p, last = local.last.p
    guard let groups = g.groups, let rows = g.groupRows else { throw Failure(.invalid, "program: a group is missing") }
    count = rows[Int(groups[Int(members[0])])]
    operations = Int(info.count)
    for m in 0 ..< operations {
      let r = g.record(Int(members[m]))
      for k in 0 ..< Int(r.arity) {
        let o = g.operand(r, k)
        last[key(g, o, s)] = Int32(m)
        if inside(g, o, s) { last[Int(g.items[o].root)] = Int32(m) }
      }
    }
    for m in 0 ..< operations { try emit(g, values, Int(members[m]), Int32(m), s, info.stage, entry, last) }
    for m in 0 ..< operations {
      let p = Int(members[m]), r = g.record(p)
      entry[p] = -1
      last[p] = -1
      for k in 0 ..< Int(r.arity) {
        let q = key(g, g.operand(r, k), s)
        entry[q] = -1
        last[q] = -1
      }
    }
    layOut()
  }

  /// Rows at a time: registers, and the memory that moves with them, in an eighth of the second-level cache.
  private mutating func layOut() {
    let moving = entries.reduce(0) { $0 + ($1.advances ? Int($1.size) * $1.width : 0) }, bytes = registers.reduce(moving, +)
    let widest = entries.reduce(1) { max($0, $1.width) }
    block = max(min(98_304 / max(bytes, 1), 8192 / widest, count), 1)
    // Bits of a block begin at a byte.
    if bits { block = min(max(block & ~7, 8), count) }
    for r in registers {
      places.append(scratch)
      scratch += up(r * block, 64)
    }
  }

  private func key(_ g: Graph, _ o: Int, _ s: Int) -> Int { g.isFull(o) ? Int(g.items[o].root) : o }
  private func inside(_ g: Graph, _ o: Int, _ s: Int) -> Bool {
    let q = Int(g.items[o].root)
    return g.items[q].kind == .block && g.items[q].step == Int32(s)
  }

  private mutating func register(_ size: Int, _ width: Int, keep: Bool = false) -> Int32 {
    let n: Int32
    if !keep, let f = free[size * width]?.popLast() { n = f } else {
      n = Int32(registers.count)
      registers.append(size * width)
    }
    if keep { kept.insert(n) }
    entries.append(RowEntry(register: n, size: Int32(size), width: width))
    return Int32(entries.count - 1)
  }

  private mutating func release(_ e: Int32) {
    let x = entries[Int(e)]
    if x.register >= 0, !kept.contains(x.register) { free[Int(x.size) * x.width, default: []].append(x.register) }
  }

  /// The entry that shows operand `o`, loaded on first use.
  private mutating func load(_ g: Graph, _ values: borrowing Values, _ o: Int, _ s: Int, _ stage: UInt8, _ entry: UnsafeMutablePointer<Int32>) throws(Failure) -> Int32 {
    let k = key(g, o, s), q = Int(g.items[o].root), width = g.elements(o) / count, d = Int(size(g.dtype(o))), rep = Int(g.items[o].rep)
    if entry[k] >= 0 { return entry[k] }
    if inside(g, o, s) {   // stretched along the row
      let r = register(d, width)
      instructions.append(RowInstruction(way: .spread, x: entry[q], out: r, width: width, rep: rep))
      work += 0.03 * Double(d * width)
      entry[k] = r
      return r
    }
    var e = RowEntry(value: Int32(values.seen(g, q, stage: stage)), size: Int32(d), width: width)
    if values.list[Int(e.value)].bits {
      bits = true
      entries.append(e)
      let r = register(d, width)
      instructions.append(RowInstruction(way: .unpack, x: Int32(entries.count - 2), out: r, width: width))
      entry[k] = r
      return r
    }
    if g.isFull(o) {
      e.advances = true
      entries.append(e)
      entry[k] = Int32(entries.count - 1)
      return entry[k]
    }
    if rep < 0 {
      e.map = Int32(maps.count)
      for i in 0 ..< 2 + 2 * g.maps[~rep + 1] { maps.append(g.maps[~rep + i]) }
    } else {
      e.rep = rep
      e.period = g.elements(q)
    }
    entries.append(e)
    let source = Int32(entries.count - 1)
    work += 0.03 * Double(d * width)
    if rep > 0, e.period == 1 || width % (e.period * e.rep) == 0 {
      let r = register(d, width, keep: true)
      fills.append(RowFill(source: source, target: r))
      entry[k] = r
      return r
    }
    let r = register(d, width)
    instructions.append(RowInstruction(way: rep < 0 ? .stage : .stretch, x: source, out: r, width: width))
    entry[k] = r
    return r
  }

  private mutating func emit(_ g: Graph, _ values: borrowing Values, _ p: Int, _ m: Int32, _ s: Int, _ stage: UInt8,
                             _ entry: UnsafeMutablePointer<Int32>, _ last: UnsafeMutablePointer<Int32>) throws(Failure) {
    let r = g.record(p), d = size(g.dtype(p)), width = g.elements(p) / count
    var x: (Int32, Int32, Int32) = (0, 0, 0)
    for k in 0 ..< (g.items[p].copies ? 0 : min(Int(r.arity), 3)) {
      let e = try load(g, values, g.operand(r, k), s, stage, entry)
      if k == 0 { x.0 = e } else if k == 1 { x.1 = e } else { x.2 = e }
    }
    // A row kernel may read its operand again after it has begun to write: only elementwise results take a dying operand's register.
    var later: [Int32] = []
    for k in 0 ..< min(Int(r.arity), 3) {
      let o = g.operand(r, k)
      for q in [key(g, o, s), Int(g.items[o].root)] where last[q] == m && entry[q] >= 0 {
        last[q] = -2
        let e = entries[Int(entry[q])]
        if !g.items[p].folds, !g.items[p].copies, Int(e.size) * e.width == Int(d) * width { release(entry[q]) } else { later.append(entry[q]) }
      }
    }
    let out: Int32, packs = g.items[p].value >= 0 && values.list[Int(g.items[p].value)].bits
    if g.items[p].value >= 0, !packs {
      entries.append(RowEntry(value: g.items[p].value, size: d, width: width, advances: true))
      out = Int32(entries.count - 1)
      stored += 1
      work += 0.04 * Double(d) * Double(width)
    } else {
      out = register(Int(d), width)
    }
    entry[p] = out
    if g.items[p].copies {
      let o = g.operand(r, 0), q = Int(g.items[o].root), rep = g.spreading(p, o)
      if inside(g, o, s) {
        instructions.append(RowInstruction(way: .spread, x: entry[q], out: out, width: width, rep: rep))
      } else {
        entries.append(RowEntry(value: Int32(values.seen(g, q, stage: stage)), size: d, width: width, rep: rep, period: g.elements(q)))
        instructions.append(RowInstruction(way: .stretch, x: Int32(entries.count - 1), out: out, width: width))
      }
      work += 0.03 * Double(d) * Double(width)
    } else if g.items[p].folds {
      guard let f = Fold(g, p) else { throw Failure(.invalid, "program: a reduction is missing") }
      let operand = g.operand(r, 0)
      instructions.append(RowInstruction(way: f.way == .softmax ? .softmax : .reduce, x: x.0, out: out, width: width, op: f.op,
                                         dtype: Int32(g.dtype(operand)), outer: f.outer / count, n: f.n, inner: f.inner))
      work += (f.way == .softmax || f.op == Reduction.logsumexp.rawValue ? 0.3 : 0.05) * Double(g.elements(operand) / count) * Double(size(g.dtype(operand)))
      folds += 1
    } else if r.op == Structural.cast.rawValue {
      try add(ck_cast_kernel(Int32(g.dtype(g.operand(r, 0))), Int32(g.dtype(p))), x, out, width)
      work += 0.03 * Double(d) * Double(width)
    } else {
      let rd = Rows.classes.withUnsafeBufferPointer { b in b.baseAddress.map { g.rowDType(r, p, $0) } ?? 0 }
      try add(ck_row_kernel(Int32(r.op), Int32(rd)), x, out, width)
      work += Rows.cost[Int(r.op)] * Double(d) * Double(width)
    }
    if packs {
      bits = true
      stored += 1
      entries.append(RowEntry(value: g.items[p].value, size: 1, width: width))
      instructions.append(RowInstruction(way: .pack, x: out, out: Int32(entries.count - 1), width: width))
    }
    for e in later { release(e) }
    if last[p] < 0 { release(out) }
  }

  private mutating func add(_ k: ck_kernel?, _ x: (Int32, Int32, Int32), _ out: Int32, _ width: Int) throws(Failure) {
    guard let k else { throw Failure(.invalid, "program: a kernel is missing") }
    instructions.append(RowInstruction(kernel: k, x: x.0, y: x.1, z: x.2, out: out, width: width))
  }
}
