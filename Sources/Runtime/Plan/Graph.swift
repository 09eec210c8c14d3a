import CKernels
import Tape

/// What becomes of a node; `move` is a kernel step that only copies.
enum Kind: UInt8 { case host, constant, array, view, piece, scalar, block, rows, kernel, scan, part, move, call }

/// A node at its position in the order.
struct Item: BitwiseCopyable {
  var node: Int32
  /// The position whose value this one shows: element i is its element (i / rep) % count; where `rep` is negative, as the map that
  /// begins at ~rep in `Graph.maps` says. Itself, unless a view.
  var root: Int32
  var rep: Int32 = 1
  /// Type number, -1 for tuples.
  var type: Int32
  /// Kernel rows lie between levels: a path that leaves a cluster arrives at a higher level than it left.
  var level: Int32 = 0
  var step: Int32 = -1
  /// Its place among `Structure.values`, -1 while it needs no memory. For host inputs at first their flat number.
  var value: Int32 = -1
  /// A piece: its window's number.
  var window: Int32 = -1
  var kind: Kind
  var stage: UInt8 = 0
  /// A view that a kernel reads: written out.
  var dense = false
  /// A concat that stores its parts' blocks, a member of the cluster that makes them. It has as many elements to compute as a part.
  var weaves = false
  /// A reduction or softmax that runs row by row in a cluster.
  var folds = false
  /// A broadcast along rows that something reads densely, written out by the cluster that makes or reads it.
  var copies = false
}

/// Consecutive elements of another item, from `offset` on.
struct Window: BitwiseCopyable {
  var of: Int32
  var offset: Int
}

struct TypeInfo: BitwiseCopyable {
  var count: Int
  var dtype: UInt8
}

/// The order's nodes with views resolved, stages and levels: what clusters are made from. Lives while a program is made.
final class Graph {
  let tape: Tape
  let count: Int
  let items: UnsafeMutablePointer<Item>
  let types: UnsafeMutablePointer<TypeInfo>
  let position: UnsafeMutablePointer<Int32>
  /// By position; up to three operands as positions.
  private let records: UnsafeMutablePointer<Record>
  let replaced: [Int32: Int32]
  private let moved: [Int32: [Int]]
  let stages: [Stage]
  private let itemMemory: Memory<Item>
  private let recordMemory: Memory<Record>
  private let typeMemory: Memory<TypeInfo>
  private let positionMemory: Memory<Int32>
  private(set) var maxLevel: Int32 = 0
  /// Maps of views (see ck_stage), one after the other.
  private(set) var maps = List<Int>()
  private var windows = List<Window>()
  /// By position of a loop: its members that something needs.
  private(set) var needed: [Int: [Bool]] = [:]
  /// By position of a product that adds something: the position that its product had, and how far apart the rows of what it adds lie.
  var additions: [Int: (product: Int, row: Int)] = [:]
  /// Operands of theirs where there are more than three: from the record's `a` on, where its `c` is `moreOperands`.
  var more = List<Int32>()
  static let moreOperands = Int32.min
  /// By position, where there are any: the group of nodes that run row by row (its first), -1 outside; and, by that first, its rows.
  var groups: Memory<Int32>?, groupRows: Memory<Int>?

  /// By position: what views wait for, beside what they show. Nothing where no view waits.
  private(set) var tokens: [Int: [Int]] = [:]
  private var waits = false
  /// By position: loops whose stacked carries are not stored, and of those that read them, whose.
  var stacks: [Int: Stack] = [:], sources: [Int: [Int]] = [:]

  init(_ tape: Tape, _ stages: [Stage], slots: Int? = nil) throws(Failure) {
    let order = try Order.make(tape, stages)
    self.tape = tape
    self.stages = stages
    count = order.nodes.count
    positionMemory = order.position
    position = order.position.p
    replaced = order.replaced
    moved = order.members
    typeMemory = try Memory(tape.types.count, filling: TypeInfo(count: 0, dtype: 0))
    types = typeMemory.p
    for (i, t) in tape.types.enumerated() { types[i] = TypeInfo(count: t.count, dtype: UInt8(t.dtype.rawValue)) }
    itemMemory = try Memory(unset: count)
    items = itemMemory.p
    recordMemory = try Memory(unset: count)
    records = recordMemory.p
    if let base = tape.recordBase, let nodes = order.nodes.p {
      let items = items, records = records, position = position
      for p in 0 ..< count {
        let n = nodes[p]
        var r = base[Int(n)]
        items[p] = Item(node: n, root: Int32(p), type: max(r.type, -1), kind: .kernel)
        if r.arity <= 3 {
          if r.arity > 0 { r.a = position[Int(r.a)] }
          if r.arity > 1 { r.b = position[Int(r.b)] }
          if r.arity > 2 { r.c = position[Int(r.c)] }
        }
        records[p] = r
      }
    }
    var flat: Int32 = 0
    for (k, s) in stages.enumerated() {
      for n in s.inputs {
        let p = Int(position[n.i])
        if p >= 0, items[p].kind != .host {
          items[p].kind = .host
          items[p].stage = UInt8(k)
          items[p].value = flat
        }
        flat += 1
      }
    }
    try classify()
    try weave()
    if markDense() { try resolveViews() }
    findTokens()
    stage()
    try fuseAdditions()
    try formGroups()
    level()
    try postpone()
    try findStacks(slots: slots)
    for p in 0 ..< count where items[p].kind == .part {
      let scan = operand(record(p), 0), m = member(p, scan)
      needed[scan, default: [Bool](repeating: false, count: tape.memberCount(NodeID(items[scan].node)))][stacks[scan]?.carries[m] ?? m] = true
    }
    for (p, read) in needed where items[p].kind == .scan { needed[p] = tape.needed(NodeID(items[p].node), read) }
  }

  /// The member that a part reads: of a scan that was replaced, where it stands in the longer tuple.
  func member(_ part: Int, _ scan: Int) -> Int {
    let k = tape.attrs(NodeID(items[part].node))[0], own = tape.input(NodeID(items[part].node), 0)
    return own.index == items[scan].node ? k : moved[own.index]?[k] ?? k
  }

  // MARK: reading

  @inline(__always) func record(_ p: Int) -> Record { records[p] }
  func replace(_ p: Int, _ r: Record) { records[p] = r }
  @inline(__always) func operand(_ r: Record, _ slot: Int) -> Int {
    if r.arity > 3 { return r.c == Graph.moreOperands ? Int(more[Int(r.a) + slot]) : Int(position[tape.input(of: r, slot).i]) }
    return Int(slot == 0 ? r.a : slot == 1 ? r.b : r.c)
  }
  @inline(__always) func elements(_ p: Int) -> Int { types[Int(items[p].type)].count }
  @inline(__always) func dtype(_ p: Int) -> UInt8 { types[Int(items[p].type)].dtype }
  /// The elements that a cluster computes for this member.
  @inline(__always) func span(_ p: Int) -> Int { items[p].weaves ? elements(operand(records[p], 0)) : elements(p) }
  /// The item in whose memory a root lies: what a piece is cut from, else itself.
  @inline(__always) func home(_ q: Int) -> Int { items[q].window < 0 ? q : Int(windows[Int(items[q].window)].of) }
  func window(_ q: Int) -> Window { windows[Int(items[q].window)] }
  /// A number that is known now.
  @inline(__always) func isNumber(_ q: Int) -> Bool {
    switch items[q].kind {
    case .constant: true
    case .array: elements(q) == 1
    case .piece: elements(q) == 1 && items[home(q)].kind == .array
    default: false
    }
  }
  /// That number as a slot holds it.
  func number(_ q: Int) -> UInt64 {
    let d = dtype(q)
    if items[q].kind == .constant { return slotBits(tape.constantBits(NodeID(items[q].node)), d) }
    let r = record(home(q)), p = UnsafeRawPointer(tape.arrays[Int(r.a)].data) + (items[q].kind == .piece ? window(q).offset : 0) * Int(size(d))
    switch d {
    case 0, 4: return p.loadUnaligned(as: UInt64.self)
    case 1, 5: return UInt64(p.loadUnaligned(as: UInt32.self))
    case 6: return UInt64(p.load(as: UInt8.self))
    default:
      var slot: UInt64 = 0
      ck_cast_kernel(Int32(d), 1)?(p, nil, nil, &slot, 1)
      return slot
    }
  }
  @inline(__always) func isFull(_ p: Int) -> Bool {
    items[p].rep == 1 && (items[p].root == Int32(p) || elements(Int(items[p].root)) == elements(p))
  }
  /// The dtype an elementwise row computes in: that of the operands it works on.
  @inline(__always) func rowDType(_ r: Record, _ p: Int, _ classes: UnsafePointer<OpClass>) -> UInt8 {
    switch classes[Int(r.op)] {
    case .TEST, .COMPARE: dtype(operand(r, 0))
    default: dtype(p)
    }
  }

  // MARK: kinds and views

  private func classify() throws(Failure) {
    let codes = Rows.codes, classes = Rows.classes, stop = Rows.stopGradient
    for p in 0 ..< count where items[p].kind != .host {
      let r = record(p)
      if r.op < 1024 {
        if r.op == stop {
          try show(p, r)
          continue
        }
        let d = classes.withUnsafeBufferPointer { c in c.baseAddress.map { Int(rowDType(r, p, $0)) } ?? 0 }
        let compute = d == 2 || d == 3 ? 1 : d
        let code = codes[Int(r.op) * 7 + compute]
        guard code >= 0 else { throw unsupported(p) }
        items[p].kind = elements(p) == 1 ? .scalar : .block
        continue
      }
      switch Structural(rawValue: r.op) {
      case .constant: items[p].kind = .constant
      case .array: items[p].kind = .array
      case .input: throw Failure(.invalid, "program: an output depends on an input of type \(tape.type(NodeID(items[p].node)).description) that is not among the inputs")
      case .capture: throw Failure(.invalid, "program: an output depends on a node of an outer tape of type \(tape.type(NodeID(items[p].node)).description)")
      case .cast:
        if dtype(operand(r, 0)) == dtype(p) { try show(p, r) } else { items[p].kind = elements(p) == 1 ? .scalar : .block }
      case .reshape, .broadcast, .slice, .transpose, .gather: try show(p, r)
      case .after:
        waits = true
        try show(p, r)
      case .scan, .cond, .whileLoop: items[p].kind = .scan
      case .host: items[p].kind = .call
      case .custom: throw refused   // memory was, or the stages would stand on a tape without rules
      case .part: items[p].kind = .part
      case nil: throw unsupported(p)
      default: break
      }
    }
  }

  private func unsupported(_ p: Int) -> Failure {
    let n = NodeID(items[p].node)
    return Failure(.invalid, "program: no kernel for \(tape.op(n).name) of \(tape.type(n).description)")
  }

  /// Makes `p` a view or a piece where its row only shows what lies in memory already.
  private func show(_ p: Int, _ r: Record, always: Bool = false) throws(Failure) {
    let o = operand(r, 0)
    switch Structural(rawValue: r.op) {
    case .broadcast:
      if items[o].rep > 0, let rep = repetition(tape.shape(NodeID(items[o].node)), tape.shape(NodeID(items[p].node))) {
        view(p, o, rep: rep)
      } else {
        try mapped(p, o, always: always)
      }
    case .slice, .transpose, .gather:
      if let first = consecutive(p, r, o), try cut(p, o, first) { return }
      if r.op != Structural.gather.rawValue { try mapped(p, o, always: always) }
    default: view(p, o, rep: 1)
    }
  }

  /// The first element shown where a slice, transposition or gather at a constant shows consecutive elements of its operand, in order.
  private func consecutive(_ p: Int, _ r: Record, _ o: Int) -> Int? {
    let n = NodeID(items[p].node), from = tape.shape(NodeID(items[o].node)), a = tape.attrs(n)
    var first = 0, run = 1   // elements of the axes behind
    if r.op == Structural.gather.rawValue {
      let i = operand(r, 1), axis = from.count + a[0]
      guard a[1] == 0, items[i].kind == .constant, from[..<axis].allSatisfy({ $0 == 1 }) else { return nil }
      let k = Int64(bitPattern: tape.constantBits(NodeID(items[i].node)))
      guard k >= 0, k < from[axis] else { return nil }
      return Int(k) * from[(axis + 1)...].reduce(1, &*)
    }
    if r.op == Structural.transpose.rawValue {   // only axes of one element move
      let head = from.count - a.count
      var last = -1
      for x in a where from[head + x] != 1 {
        if x < last { return nil }
        last = x
      }
      return 0
    }
    let to = tape.shape(n), head = from.count - a.count / 3, steps = strides(from)
    for i in stride(from: from.count - 1, through: 0, by: -1) {
      let start = i < head ? 0 : a[3 * (i - head)], step = i < head ? 1 : a[3 * (i - head) + 2]
      if to[i] != 1, step != 1 || steps[i] != run { return nil }
      first += start * steps[i]
      run *= to[i]
    }
    return first
  }

  /// Makes `p` the elements of `o` from `first` on; false where those are not consecutive in memory.
  private func cut(_ p: Int, _ o: Int, _ first: Int) throws(Failure) -> Bool {
    let n = elements(p), q = Int(items[o].root)
    if n == 0 { return false }
    if n == elements(o) {
      view(p, o, rep: 1)
      return true
    }
    if !isFull(o) {
      if elements(q) != 1 { return false }
      view(p, o, rep: 1)
      items[p].rep = 1
      return true
    }
    items[p].kind = .piece
    items[p].root = Int32(p)
    items[p].rep = 1
    items[p].window = Int32(windows.count)
    try windows.add(items[q].kind == .piece ? Window(of: window(q).of, offset: window(q).offset + first) : Window(of: Int32(q), offset: first))
    return true
  }

  /// A view of a view is a view: with p elements and repetition r below, (i / rep / r) % p.
  private func view(_ p: Int, _ o: Int, rep: Int) {
    if items[o].rep < 0 {   // nothing moves: the map says it already
      items[p].kind = .view
      items[p].root = items[o].root
      items[p].rep = items[o].rep
      items[p].step = items[o].step
      return
    }
    let total = rep.multipliedReportingOverflow(by: Int(items[o].rep))
    guard !total.overflow, total.partialValue < Int(Int32.max) else { return }   // left to the row's kernel
    items[p].kind = .view
    items[p].root = items[o].root
    items[p].rep = Int32(total.partialValue)
    // The nearest broadcast at or below, -1 where there is none.
    let isBroadcast = record(p).op == Structural.broadcast.rawValue
    items[p].step = isBroadcast ? Int32(p) : items[o].kind == .view ? items[o].step : -1
  }

  /// A view by its map, where it has one and reading it in place costs no more than writing it out.
  private func mapped(_ p: Int, _ o: Int, always: Bool = false) throws(Failure) {
    let count = elements(p)
    guard count > 1, count < Int(Int32.max), maps.count < Int(Int32.max) / 2, let m = ViewMap(self, p, o), always || !m.scatters(Int(size(dtype(p)))) else { return }
    items[p].kind = .view
    items[p].root = items[o].root
    items[p].step = Int32(p)
    if m.isWhole(elements(Int(items[o].root))) {
      items[p].rep = 1
      return
    }
    items[p].rep = ~Int32(maps.count)
    try maps.add(m.offset)
    try maps.add(m.axes.count)
    for a in m.axes {
      try maps.add(a.extent)
      try maps.add(a.stride)
    }
  }

  /// r where broadcasting is out[i] = x[(i / r) % count]: kept axes lie together. nil otherwise.
  private func repetition(_ from: [Int], _ to: [Int]) -> Int? {
    let lead = to.count - from.count
    var rep = 1, state = 0   // 0: trailing stretched axes, 1: kept axes, 2: leading stretched axes
    for i in stride(from: to.count - 1, through: 0, by: -1) where to[i] != 1 {
      let kept = i >= lead && from[i - lead] == to[i]
      switch state {
      case 0: if kept { state = 1 } else { rep &*= max(to[i], 1) }
      case 1: if !kept { state = 2 }
      default: if kept { return nil }
      }
    }
    return rep
  }

  /// How often p, a broadcast, repeats each element of what its operand o shows; 0 where it is not that.
  func spreading(_ p: Int, _ o: Int) -> Int {
    guard items[o].rep > 0, let rep = repetition(tape.shape(NodeID(items[o].node)), tape.shape(NodeID(items[p].node))) else { return 0 }
    let total = rep.multipliedReportingOverflow(by: Int(items[o].rep))
    return total.overflow || total.partialValue >= Int(Int32.max) ? 0 : total.partialValue
  }

  /// Kernels, loops and outputs read dense memory: a broadcast below them is written out. True when there is any.
  private func markDense() -> Bool {
    var any = false
    func need(_ p: Int) {
      var q = p
      while items[q].kind == .view, !isFull(q) {
        let b = Int(items[q].step)
        if b < 0 || items[b].dense { return }
        items[b].dense = true
        any = true
        q = operand(record(b), 0)
      }
    }
    for p in 0 ..< count where items[p].kind == .kernel || items[p].kind == .scan || items[p].kind == .call {
      let r = record(p)
      for k in 0 ..< Int(r.arity) { need(operand(r, k)) }
    }
    for s in stages { for o in s.outputs { need(Int(position[o.i])) } }
    return any
  }

  private func resolveViews() throws(Failure) {
    for p in 0 ..< count where items[p].kind == .view || items[p].kind == .piece {
      if items[p].dense {
        items[p].kind = .kernel
        items[p].root = Int32(p)
        items[p].rep = 1
        continue
      }
      // What shows its root whole does so still, be what lies between written out or not.
      if items[p].kind == .view, isFull(p) { continue }
      try show(p, record(p), always: true)
    }
  }

  /// Concats of equal parts along an inner axis, some of them computed element by element: their parts' cluster stores them.
  private func weave() throws(Failure) {
    for p in 0 ..< count where items[p].kind == .kernel {
      let r = record(p)
      guard r.op == Structural.concat.rawValue, r.arity > 1, elements(p) > 0, size(dtype(p)) != 2 else { continue }
      let first = operand(r, 0), shape = tape.shape(NodeID(items[p].node)), axis = shape.count + tape.attrs(NodeID(items[p].node))[0]
      guard elements(first) > 1, shape[..<axis].contains(where: { $0 > 1 }) else { continue }
      var equal = true, computed = false
      for k in 0 ..< Int(r.arity) where equal {
        let o = operand(r, k)
        equal = elements(o) == elements(first)
        computed = computed || (isFull(o) && items[Int(items[o].root)].kind == .block)
      }
      if equal, computed {
        items[p].kind = .block
        items[p].weaves = true
      }
    }
  }

  // MARK: stages and levels

  /// Elementwise nodes of one cluster agree in these: p and what its operand `o` shows, in full.
  @inline(__always) func joins(_ p: Int, _ o: Int) -> Bool {
    let q = Int(items[o].root)
    if let groups, groups[p] >= 0 || groups[q] >= 0 {
      let rep = items[p].copies ? spreading(p, o) : Int(items[o].rep)
      if items[p].copies { return groups[p] == groups[q] && elements(p) == rep * elements(q) }
      return groups[p] == groups[q] && items[p].stage == items[q].stage && (isFull(o) || (!items[p].folds && rep > 1 && elements(o) == rep * elements(q)))
    }
    return items[p].kind == items[q].kind && (items[p].kind == .scalar || items[p].kind == .block)
      && items[p].stage == items[q].stage && span(p) == elements(q) && items[o].rep == 1 && !items[q].weaves
  }

  private func stage() {
    if stages.count == 1 { return }
    for p in 0 ..< count where items[p].kind != .host {
      let r = record(p), n = items[p].kind == .constant || items[p].kind == .array ? 0 : Int(r.arity)
      var stage: UInt8 = 0
      for k in 0 ..< n { stage = max(stage, items[operand(r, k)].stage) }
      items[p].stage = stage
    }
  }

  /// Recomputed parts begin with views that wait for a cotangent: who reads one, or a view of it, runs after that.
  private func findTokens() {
    if !waits { return }
    for p in 0 ..< count where items[p].kind == .view || items[p].kind == .piece {
      let r = record(p), o = operand(r, 0)
      let own = r.op == Structural.after.rawValue ? [Int(items[operand(r, 1)].root)] + (tokens[operand(r, 1)] ?? []) : []
      let all = own + (tokens[o] ?? [])
      if !all.isEmpty { tokens[p] = Array(Set(all)).sorted() }
    }
  }

  private func level() {
    for p in 0 ..< count where items[p].kind != .host {
      items[p].step = -1
      let r = record(p), n = items[p].kind == .constant || items[p].kind == .array ? 0 : Int(r.arity)
      // Single numbers that come from inputs and constants alone stand below all arrays, which then need not wait for each other.
      var level: Int32 = items[p].kind == .block ? 1 : 0
      for k in 0 ..< n {
        let o = operand(r, k), q = Int(items[o].root)
        var l = items[q].level
        if items[q].kind == .scalar || items[q].kind == .block, items[p].kind != .view, !joins(p, o) { l += 1 }
        if waits, let t = tokens[o] { for t in t { l = max(l, items[t].level + (items[t].kind == .scalar || items[t].kind == .block ? 1 : 0)) } }
        level = max(level, l)
      }
      items[p].level = level
      maxLevel = max(maxLevel, level)
    }
  }

  /// Lifts elementwise nodes to their earliest reader, where that makes no value live longer: products of parameters, masks and
  /// casts then join the cluster that reads them. Levels stay sound, since a reader outside the cluster remains above.
  private func postpone() throws(Failure) {
    var any = false
    for p in 0 ..< count where items[p].kind == .block { any = true }
    if !any { return }
    let bound = try Memory<Int32>(count, filling: Int32.max)
    let light = try Memory<Bool>(count, filling: true)   // made from host inputs and constants alone
    for p in 0 ..< count {
      switch items[p].kind {
      case .host, .constant, .array: break
      case .block, .view, .piece:
        let r = record(p)
        for k in 0 ..< Int(r.arity) where !light[operand(r, k)] { light[p] = false }
      default: light[p] = false
      }
    }
    for p in (0 ..< count).reversed() {
      switch items[p].kind {
      case .scalar, .block, .kernel, .scan, .call: break
      default: continue
      }
      let r = record(p)
      if items[p].kind == .block, bound[p] < Int32.max, bound[p] > items[p].level, mayWait(p, r, light) { items[p].level = bound[p] }
      for k in 0 ..< Int(r.arity) {
        let o = operand(r, k), q = home(Int(items[o].root))
        if items[q].kind == .block { bound[q] = min(bound[q], joins(p, o) ? items[p].level : items[p].level - 1) }
        if waits, let t = tokens[o] { for t in t { bound[home(t)] = min(bound[home(t)], items[p].level - 1) } }
      }
    }
    for p in 0 ..< count { maxLevel = max(maxLevel, items[p].level) }
  }

  /// At most one operand as long as the result has to wait with it, and that is no wider.
  private func mayWait(_ p: Int, _ r: Record, _ light: Memory<Bool>) -> Bool {
    if items[p].folds { return false }
    var waiting = -1
    for k in 0 ..< Int(r.arity) {
      let o = operand(r, k), q = Int(items[o].root)
      if light[o] || (!isFull(o) && items[o].rep > 0) || q == waiting { continue }
      if items[q].kind == .piece { return false }
      if waiting >= 0 || (items[o].rep < 0 && elements(q) > elements(p)) || size(dtype(o)) > size(dtype(p)) { return false }
      waiting = q
    }
    return true
  }
}
