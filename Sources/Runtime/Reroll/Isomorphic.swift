import CKernels
import Tape

/// Single numbers by what computes them: two nodes are of one class when they are the same expression of leaves of the same kinds. Classes
/// are interned by operator and operands' classes, so that a class comes after those of its operands and no two are alike.
final class Isomorphic {
  /// What a class is: a row's number, or one of these.
  static let constant: Int32 = -1, leaf: Int32 = -2, element: Int32 = -3, none: Int32 = -4

  struct Class: BitwiseCopyable {
    var op: Int32, type: Int32
    /// The operands' classes; leaf: stage and rank; element: the root's position.
    var x: SIMD4<Int32>
    var count: Int32 = 0
    /// Members as an array: from `start` on in `members`.
    var start: Int32 = -1
    var batched = false
  }

  let order: Order
  let count: Int
  /// By position.
  let cls: Memory<Int32>
  private(set) var classes = List<Class>()
  private(set) var members = List<Int32>()
  /// By position: its place in its class.
  let place: Memory<Int32>
  let isHost: Memory<Bool>
  private(set) var scalars = 0, batched = 0, arrays = 0

  /// By position: the array whose element this is, -1: none; which element.
  let root: Memory<Int32>, index: Memory<Int32>

  private let tape: Tape
  // As they lie: the tape does not change meanwhile.
  private let records: UnsafePointer<Record>, pool: UnsafePointer<Int32>, nodes: UnsafePointer<Int32>, position: UnsafePointer<Int32>
  private var isScalar: [Bool] = []
  /// By position: a fingerprint of what reads it.
  private var readers: Memory<Int32>
  private static let rounds = 6
  private var table: Memory<Int32>
  /// By position: kernels on the way; stage of the latest input.
  private let rank: Memory<Int32>, stage: Memory<UInt8>

  /// Classes smaller than this stay single numbers; programs smaller are not looked at.
  static let fewest = 32, least = 2048
  /// Numbers looked at before it is decided whether anything repeats.
  private static let few = 1 << 12, many = 1 << 16

  private init(_ tape: Tape, _ stages: [Stage]) throws(Failure) {
    self.tape = tape
    let order = try Order.make(tape, stages), n = order.nodes.count
    guard let records = tape.recordBase, let nodes = order.nodes.p else { throw refused }
    count = n
    position = UnsafePointer(order.position.p)
    self.records = records
    self.nodes = UnsafePointer(nodes)
    pool = tape.poolBase ?? position   // nothing is read where there is no pool
    self.order = order
    cls = try Memory(n, filling: Isomorphic.none)
    place = try Memory(n, filling: -1)
    root = try Memory(n, filling: -1)
    index = try Memory(n, filling: 0)
    readers = try Memory(0, filling: 0)
    isHost = try Memory(n, filling: false)
    rank = try Memory(n, filling: 0)
    stage = try Memory(n, filling: 0)
    table = try Memory(4096, filling: -1)
  }

  /// Nil where nothing repeats enough to be worth it.
  static func find(_ tape: Tape, _ stages: [Stage], least: Int) throws(Failure) -> Isomorphic? {
    if tape.count < least { return nil }
    let i = try Isomorphic(tape, stages)
    guard i.count >= least, try i.prepare(stages), try i.classify(first: true), i.scalars >= least, try i.choose() else { return nil }
    var arrays = 0
    for round in 0 ..< rounds where i.arrays != arrays {
      arrays = i.arrays
      let before = i.batched, readers = i.readers
      try i.refine()
      if try i.classify(first: false), try i.choose(), i.batched * 10 >= before * 9 { continue }
      // Told apart too far.
      i.readers = readers
      guard try i.classify(first: round == 0), try i.choose() else { return nil }
      break
    }
    return i
  }

  // MARK: reading

  @inline(__always) func node(_ p: Int) -> NodeID { NodeID(order.nodes[p]) }
  @inline(__always) func record(_ p: Int) -> Record { records[Int(nodes[p])] }
  @inline(__always) func operand(_ r: Record, _ slot: Int) -> Int {
    Int(position[Int(r.arity > 3 ? pool[Int(r.a) + slot] : slot == 0 ? r.a : slot == 1 ? r.b : r.c)])
  }
  @inline(__always) func isBatched(_ p: Int) -> Bool { cls[p] >= 0 && classes[Int(cls[p])].batched }

  /// The array and the element that a single number shows through reshapes and slices; nil where it shows none.
  private func trace(_ p: Int) -> (root: Int, index: Int)? {
    var q = p, index = 0
    // A number of a vector, as hosts read them.
    let r = record(p)
    if r.op == Structural.reshape.rawValue {
      let o = operand(r, 0), w = record(o)
      if w.op == Structural.slice.rawValue, !isHost[o] {
        let root = operand(w, 0)
        if tape.types[Int(record(root).type)].rank == 1, isHost[root] { return (root, tape.attributes[Int(w.attrs)][0]) }
      }
    }
    while !isHost[q] {
      let n = node(q), s = tape.structural(n)
      if s == .reshape {
        q = operand(record(q), 0)
      } else if s == .slice {
        let a = tape.attrs(n), out = tape.shape(n), o = operand(record(q), 0), from = tape.shape(node(o)), steps = strides(from), k = a.count / 3, head = from.count - k
        var rest = index, at = 0
        for i in stride(from: out.count - 1, through: 0, by: -1) {
          let here = rest % out[i]
          rest /= out[i]
          at += (i < head ? here : a[3 * (i - head)] + here * a[3 * (i - head) + 2]) * steps[i]
        }
        index = at
        q = o
      } else {
        break
      }
    }
    return q == p || tape.shape(node(q)).isEmpty ? nil : (q, index)
  }

  /// Leaves a class single numbers after all. The order of the others is to be made anew.
  func release(_ k: Int) {
    classes.p.unsafelyUnwrapped[k].batched = false
    batched -= Int(classes[k].count)
    arrays -= 1
  }

  // MARK: classes

  private func intern(_ c: Class) throws(Failure) -> Int32 {
    if classes.count * 2 >= table.count {
      let bigger = try Memory<Int32>(table.count * 4, filling: -1)
      for k in 0 ..< classes.count {
        var s = Isomorphic.hash(classes[k]) & (bigger.count - 1)
        while bigger[s] >= 0 { s = (s + 1) & (bigger.count - 1) }
        bigger[s] = Int32(k)
      }
      table = bigger
    }
    let mask = table.count - 1, slots = table.p
    var s = Isomorphic.hash(c) & mask
    if let known = classes.p {
      while slots[s] >= 0 {
        let d = known + Int(slots[s])
        if d.pointee.op == c.op, d.pointee.type == c.type, d.pointee.x == c.x { return slots[s] }
        s = (s + 1) & mask
      }
    }
    slots[s] = Int32(classes.count)
    try classes.add(c)
    return Int32(classes.count - 1)
  }

  private static func hash(_ c: Class) -> Int {
    var h = UInt64(UInt32(bitPattern: c.op)) | UInt64(UInt32(bitPattern: c.type)) << 32
    h = (h ^ (UInt64(UInt32(bitPattern: c.x.x)) | UInt64(UInt32(bitPattern: c.x.y)) << 32)) &* 0x9E37_79B9_7F4A_7C15
    h ^= h >> 29
    h = (h ^ (UInt64(UInt32(bitPattern: c.x.z)) | UInt64(UInt32(bitPattern: c.x.w)) << 32)) &* 0x9E37_79B9_7F4A_7C15
    h ^= h >> 29
    return Int(truncatingIfNeeded: h & 0x7FFF_FFFF_FFFF)
  }

  /// What does not change from round to round: hosts, elements, stages and ranks. False where a node cannot be computed.
  private func prepare(_ stages: [Stage]) throws(Failure) -> Bool {
    for (k, s) in stages.enumerated() {
      for n in s.inputs where order.position[n.i] >= 0 {
        let p = Int(order.position[n.i])
        if !isHost[p] { stage[p] = UInt8(k) }
        isHost[p] = true
      }
    }
    let cast = Structural.cast.rawValue
    isScalar = tape.types.map { $0.shape.isEmpty }
    for p in 0 ..< count where !isHost[p] {
      let r = record(p), s = Structural(rawValue: r.op)
      if s == .input || s == .capture { return false }
      if s == .constant || s == .array { continue }
      for k in 0 ..< Int(r.arity) {
        let q = operand(r, k)
        rank[p] = max(rank[p], rank[q])
        stage[p] = max(stage[p], stage[q])
      }
      if r.type >= 0, isScalar[Int(r.type)], r.op < 1024 || r.op == cast { continue }
      if r.type >= 0, isScalar[Int(r.type)], let e = trace(p) {
        root[p] = Int32(e.root)
        index[p] = Int32(truncatingIfNeeded: e.index)
      } else {
        rank[p] += 1
      }
    }
    return true
  }

  /// False where it is seen early that little repeats.
  private func classify(first: Bool) throws(Failure) -> Bool {
    let cast = Structural.cast.rawValue, constant = Structural.constant.rawValue
    classes.clear()
    scalars = 0
    for i in 0 ..< table.count { table[i] = -1 }
    let cls = self.cls.p, isHost = self.isHost.p, root = self.root.p, readers = self.readers.p
    for p in 0 ..< count {
      let r = record(p)
      guard r.type >= 0, isScalar[Int(r.type)] else { continue }
      if !isHost[p], r.op < 1024 || r.op == cast {
        var x = SIMD4<Int32>(-1, -1, -1, first ? -1 : readers[p])
        for k in 0 ..< Int(r.arity) { x[k] = cls[operand(r, k)] }
        cls[p] = try intern(Class(op: Int32(r.op), type: r.type, x: x))
        classes.p.unsafelyUnwrapped[Int(cls[p])].count += 1
        scalars += 1
        if scalars == Isomorphic.few || scalars == Isomorphic.many, classes.count * 4 > scalars * 3 { return false }
      } else if !isHost[p], r.op == constant {
        cls[p] = try intern(Class(op: Isomorphic.constant, type: r.type, x: SIMD4(repeating: -1)))
      } else if root[p] >= 0 {
        cls[p] = try intern(Class(op: Isomorphic.element, type: r.type, x: [root[p], -1, -1, -1]))
      } else {
        cls[p] = try intern(Class(op: Isomorphic.leaf, type: r.type, x: [Int32(stage[p]), rank[p], -1, -1]))
      }
    }
    return true
  }

  /// Tells members of a class apart by what reads them: the x and the y of a point are one expression, but not read alike. Only large
  /// classes count as readers (a link of a chain is a class of its own), and which there are, not how often.
  private func refine() throws(Failure) {
    readers = try Memory(count, filling: -1)
    let highs = try Memory<UInt32>(count, filling: 0), low = readers.p, cls = self.cls.p
    guard let classes = self.classes.p else { return }
    for p in 0 ..< count where cls[p] >= 0 && classes[Int(cls[p])].op >= 0 {
      let r = record(p), n = classes[Int(cls[p])].count
      for k in 0 ..< Int(r.arity) {
        let q = operand(r, k)
        if cls[q] < 0 || classes[Int(cls[q])].op < 0 || n < Isomorphic.fewest || n * 4 < classes[Int(cls[q])].count { continue }
        let h = UInt32(truncatingIfNeeded: (UInt64(cls[p]) * 4 + UInt64(k) + 1) &* 0x9E37_79B9_7F4A_7C15 >> 33)
        low[q] = min(low[q] < 0 ? Int32.max : low[q], Int32(h & 0x7FFF_FFFF))
        highs.p[q] = max(highs.p[q], h)
      }
    }
    for p in 0 ..< count { low[p] = Int32(truncatingIfNeeded: (UInt64(UInt32(bitPattern: low[p])) << 32 | UInt64(highs.p[p])) &* 0x9E37_79B9_7F4A_7C15 >> 33) }
  }

  /// Marks the classes to be computed as arrays: large ones that read or are read by others such. False where they are too few.
  private func choose() throws(Failure) -> Bool {
    guard let c = classes.p else { return false }
    (batched, arrays) = (0, 0)
    let linked = try Memory<Bool>(classes.count, filling: false)
    func large(_ k: Int32) -> Bool { k >= 0 && c[Int(k)].op >= 0 && c[Int(k)].count >= Isomorphic.fewest }
    for k in 0 ..< classes.count where large(Int32(k)) {
      for s in 0 ..< 3 where large(c[k].x[s]) {
        linked[k] = true
        linked[Int(c[k].x[s])] = true
      }
    }
    for k in 0 ..< classes.count where linked[k] {
      c[k].batched = true
      batched += Int(c[k].count)
      arrays += 1
    }
    return batched > 0 && batched * 2 >= scalars
  }

  /// A class to be ordered by another: as that one reads it (`reader`), or as it reads that one.
  private struct Link: BitwiseCopyable {
    var cls: Int32, by: Int32, slot: Int32
    var reader: Bool
  }

  /// Orders the members of the batched classes as their neighbours are ordered, those of equal size first: copies of one part then
  /// lie in the same order in every array.
  func arrange() throws(Failure) {
    guard let c = classes.p else { return }
    for i in 0 ..< members.count { place[Int(members[i])] = -1 }
    members.clear()
    var total: Int32 = 0
    for k in 0 ..< classes.count where c[k].batched {
      c[k].start = total
      total += c[k].count
    }
    for _ in 0 ..< total { try members.add(-1) }
    let filled = try Memory<Int32>(classes.count, filling: 0), counts = try Memory<Int32>(count, filling: 0), sorted = try Memory<Int32>(count, filling: 0)
    // By class and operand: the next that reads the same class.
    let next = try Memory<Int32>(classes.count * 3, filling: -1), head = try Memory<Int32>(classes.count, filling: -1)
    var sizes = List<SIMD2<Int32>>()
    guard let list = members.p else { return }
    for p in 0 ..< count where isBatched(p) {
      let k = Int(cls[p])
      list[Int(c[k].start + filled[k])] = Int32(p)
      filled[k] += 1
    }
    for k in 0 ..< classes.count where c[k].batched {
      try sizes.add([-c[k].count, Int32(k)])
      for s in 0 ..< 3 where c[k].x[s] >= 0 && c[Int(c[k].x[s])].batched {
        next[3 * k + s] = head[Int(c[k].x[s])]
        head[Int(c[k].x[s])] = Int32(3 * k + s)
      }
    }
    var bySize = UnsafeMutableBufferPointer(start: sizes.p, count: sizes.count)
    bySize.sort { $0.x != $1.x ? $0.x < $1.x : $0.y < $1.y }
    let ordered = try Memory<Bool>(classes.count, filling: false)
    var strong = List<Link>(), weak = List<Link>(), strongDone = 0, weakDone = 0
    func settle(_ k: Int) throws(Failure) {
      ordered[k] = true
      for i in 0 ..< Int(c[k].count) { place[Int(list[Int(c[k].start) + i])] = Int32(i) }
      for s in 0 ..< 3 where c[k].x[s] >= 0 && c[Int(c[k].x[s])].batched && !ordered[Int(c[k].x[s])] {
        let e = c[k].x[s], l = Link(cls: e, by: Int32(k), slot: Int32(s), reader: true)
        if c[Int(e)].count == c[k].count { try strong.add(l) } else { try weak.add(l) }
      }
      var u = head[k]
      while u >= 0 {
        let l = Link(cls: u / 3, by: Int32(k), slot: u % 3, reader: false)
        if !ordered[Int(l.cls)] { if c[Int(l.cls)].count == c[k].count { try strong.add(l) } else { try weak.add(l) } }
        u = next[Int(u)]
      }
    }
    for z in 0 ..< sizes.count where !ordered[Int(sizes[z].y)] {
      try settle(Int(sizes[z].y))
      while strongDone < strong.count || weakDone < weak.count {
        let l: Link
        if strongDone < strong.count { l = strong[strongDone]; strongDone += 1 } else { l = weak[weakDone]; weakDone += 1 }
        if ordered[Int(l.cls)] { continue }
        if l.reader { follow(l, c, list, sorted.p) } else { follow(l, c, list, counts.p, sorted.p) }
        try settle(Int(l.cls))
      }
    }
  }

  /// The class `l.cls` as `l.by` reads it; members that it does not read come last.
  private func follow(_ l: Link, _ c: UnsafeMutablePointer<Class>, _ list: UnsafeMutablePointer<Int32>, _ sorted: UnsafeMutablePointer<Int32>) {
    let k = c[Int(l.cls)], u = c[Int(l.by)], start = Int(k.start), m = Int(k.count)
    var n = 0
    for i in 0 ..< Int(u.count) {
      let q = operand(record(Int(list[Int(u.start) + i])), Int(l.slot))
      if place[q] < 0 { place[q] = Int32(n); n += 1 }
    }
    for i in 0 ..< m {
      let p = list[start + i]
      if place[Int(p)] < 0 { place[Int(p)] = Int32(n); n += 1 }
      sorted[Int(place[Int(p)])] = p
    }
    for i in 0 ..< m { list[start + i] = sorted[i] }
  }

  /// The class `l.cls` in the order of what it reads of `l.by`: a counting sort.
  private func follow(_ l: Link, _ c: UnsafeMutablePointer<Class>, _ list: UnsafeMutablePointer<Int32>, _ counts: UnsafeMutablePointer<Int32>, _ sorted: UnsafeMutablePointer<Int32>) {
    let k = c[Int(l.cls)], start = Int(k.start), m = Int(k.count), n = Int(c[Int(l.by)].count)
    for i in 0 ..< n { counts[i] = 0 }
    func key(_ i: Int) -> Int { Int(place[operand(record(Int(list[start + i])), Int(l.slot))]) }
    for i in 0 ..< m { counts[key(i)] += 1 }
    var at: Int32 = 0
    for i in 0 ..< n { (counts[i], at) = (at, at + counts[i]) }
    for i in 0 ..< m {
      let x = key(i)
      sorted[Int(counts[x])] = list[start + i]
      counts[x] += 1
    }
    for i in 0 ..< m { list[start + i] = sorted[i] }
  }
}
