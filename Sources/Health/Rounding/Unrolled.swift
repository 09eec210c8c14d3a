import CKernels
import Tape

/// A recorded program at one point: a tape without loops and branches, each node evaluated as programs do and wide at once.
final class Unrolled {
  /// Which values choose branches and ends of loops.
  enum Driver { case own, wide }
  let tape = Tape()
  let driver: Driver
  let own: Evaluator, wide: Evaluator
  let keep: Pool, scratch: Pool
  /// By node of `tape`.
  private(set) var values: [UnsafeMutableRawPointer?] = [], truths: [UnsafeMutableRawPointer?] = []
  private(set) var sites: [Int32] = []
  /// Where nodes were recorded: the site of the loop or branch that they are in (-1: none), the node there, what it was derived from, what the host calls it.
  struct Place { let outer: Int32, node: NodeID, op: OpCode, origin: NodeID, label: Label? }
  private(set) var places: [Place] = []
  private var placeIndex: [UInt64: Int32] = [:]
  /// Comparisons that rounding may turn: node, and how many elements.
  private(set) var close: [(node: NodeID, elements: Int)] = []
  /// Choices that wide values make otherwise.
  private(set) var turned: [NodeID] = []
  /// Nodes without a wide result.
  private(set) var holes: [(node: NodeID, why: String)] = []
  /// Constants that may stand for another number: how far that lies away.
  private(set) var uncertain: [NodeID: Double] = [:]
  var failure: Failure?
  private let limit: Int
  /// A comparison whose outcome is turned over, where it is close.
  private let flip: NodeID?
  private var flags: [UnsafeMutablePointer<UInt8>?] = []

  /// How constants are read: 0 as they are; 1 as they are or as what they may stand for; 2 as what they stand for.
  private let reading: Int

  init(_ driver: Driver, quad: Bool, memory: Int, nodes: Int, reading: Int, flip: NodeID? = nil) {
    self.driver = driver
    self.reading = reading
    self.flip = flip
    keep = Pool(limit: memory)
    scratch = Pool(limit: memory)
    own = Evaluator(width: .own, scratch: scratch)
    wide = Evaluator(width: quad ? .quad : .f64, scratch: scratch)
    limit = nodes
  }

  var quad: Bool { wide.width == .quad }
  private func fail(_ c: Code, _ s: String) -> NodeID {
    if failure == nil { failure = Failure(c, s) }
    return .none
  }
  private func refused() -> NodeID { fail(.memory, "rounding: memory for \(tape.count) nodes was refused, or passes the limit of \(keep.limit) bytes (option memory_limit)") }

  /// What a walk of the source was refused is this trace's failure: the source can be walked again.
  private func lost(_ source: Tape) {
    if failure == nil { failure = source.failure ?? Failure(.memory, "rounding: memory was refused") }
    if source.failure?.code == .memory { source.failure = nil }
  }

  func input(_ t: TensorType, _ p: UnsafeRawPointer?) -> NodeID {
    let n = tape.input(t)
    guard tape.failure == nil else { return adopt() }
    guard let v = keep.take(own.bytes(t)), let w = keep.take(wide.bytes(t)) else { return refused() }
    if let p, t.count > 0 {
      v.copyMemory(from: p, byteCount: t.bytes)
      wide.convert(t.dtype, p, t.dtype, w, t.count)
    }
    note(n, -1, v, t.dtype.isFloat ? w : v)
    return n
  }
  private func adopt() -> NodeID {
    if failure == nil { failure = tape.failure }
    return .none
  }
  private func note(_ n: NodeID, _ site: Int32, _ v: UnsafeMutableRawPointer?, _ w: UnsafeMutableRawPointer?) {
    while values.count <= n.i {
      values.append(nil)
      truths.append(nil)
      sites.append(-1)
    }
    values[n.i] = v
    truths[n.i] = w
    sites[n.i] = site
  }
  private func known(_ n: NodeID) -> Bool { n.i < values.count && truths[n.i] != nil }

  private func place(_ source: Tape, _ outer: Int32, _ n: NodeID) -> Int32 {
    let key = UInt64(UInt32(bitPattern: outer)) << 32 | UInt64(UInt32(bitPattern: n.index))
    if let k = placeIndex[key] { return k }
    placeIndex[key] = Int32(places.count)
    let o = source.origin(n)
    places.append(Place(outer: outer, node: n, op: source.op(n), origin: o.node, label: o.label ?? (outer < 0 ? nil : places[Int(outer)].label)))
    return Int32(places.count - 1)
  }

  /// `outputs` of `source` here; `seeds` stand in for its nodes.
  func run(_ source: Tape, _ outputs: [NodeID], _ seeds: [NodeID: NodeID]) -> [NodeID] {
    guard let order = source.order(outputs) else {
      lost(source)
      return outputs.map { _ in .none }
    }
    return run(source, (0 ..< order.count).map { order[$0] }, outputs, seeds, -1)
  }

  private func run(_ source: Tape, _ order: [NodeID], _ outputs: [NodeID], _ seeds: [NodeID: NodeID], _ outer: Int32) -> [NodeID] {
    let none = outputs.map { _ in NodeID.none }
    guard failure == nil, var map = PerNode<Int32>(source, -1) else {
      lost(source)
      return none
    }
    for (a, b) in seeds { map[a] = b.index }
    var tuples: [NodeID: [NodeID]] = [:], x: [NodeID] = []
    for n in order where map[n] < 0 {
      let r = source.record(n)
      if r.op == Structural.part.rawValue {
        map[n] = tuples[NodeID(r.a)]?[source.attrs(n)[0]].index ?? -1
        continue
      }
      x.removeAll(keepingCapacity: true)
      for slot in 0 ..< Int(r.arity) { x.append(NodeID(map[source.input(of: r, slot)])) }
      if x.contains(where: \.isNone) { continue }
      if r.type <= -2 {
        tuples[n] = tuple(source, n, x, place(source, outer, n))
      } else if r.op == Structural.input.rawValue || r.op == Structural.capture.rawValue {
        continue
      } else if r.op == Structural.after.rawValue || r.op == OpCode(Unary.stop_gradient).raw {
        map[n] = x[0].index
      } else {
        let m = tape.again(n, from: source, x)
        if tape.failure != nil { _ = adopt(); return none }
        if !known(m) { settle(r.arity == 0 ? -1 : place(source, outer, n)) }
        map[n] = m.index
      }
      if failure != nil { return none }
    }
    return outputs.map { o in map[o] < 0 ? fail(.invalid, "rounding: an output depends on an input that is not listed") : NodeID(map[o]) }
  }

  // MARK: evaluation

  /// All that was recorded since.
  private func settle(_ site: Int32) {
    while values.count < tape.count, failure == nil { evaluate(NodeID(values.count), site) }
  }

  private func evaluate(_ n: NodeID, _ site: Int32) {
    let t = tape.type(n)
    if tape.count > limit { _ = fail(.memory, "rounding: more than \(limit) nodes with loops unrolled (option node_limit)"); return }
    let x = tape.inputs(n)
    scratch.reset()
    var v: UnsafeMutableRawPointer?
    if driver == .own {
      guard let p = keep.take(own.bytes(t)) else { _ = refused(); return }
      if let said = own.apply(tape, n, x.map { UnsafeRawPointer(values[$0.i].unsafelyUnwrapped) }, p) { _ = fail(.invalid, "rounding: \(tape.op(n).name): \(said)"); return }
      v = p
    }
    let floats = x.contains { tape.dtype($0).isFloat }
    if !t.dtype.isFloat, !floats, let v, x.allSatisfy({ values[$0.i] == truths[$0.i] }) { note(n, site, v, v); return }
    guard let w = keep.take(wide.bytes(t)) else { _ = refused(); return }
    scratch.reset()
    if let said = wide.apply(tape, n, x.map { UnsafeRawPointer(truths[$0.i].unsafelyUnwrapped) }, w) {
      holes.append((n, said))
      if let v { wide.convert(t.dtype, v, t.dtype, w, t.count) }
    }
    if reading > 0, x.isEmpty, t.dtype.isFloat, tape.structural(n) == .constant {
      let c = Double(bitPattern: tape.constantBits(n))
      if let m = Meant(c, t.dtype) {
        guard let p = m.irrational || reading == 2 ? w : scratch.take(16), let e = m.write(c, quad, p, scratch) else { _ = refused(); return }
        uncertain[n] = e
      }
    }
    if !t.dtype.isFloat, floats { look(n, x) }
    if n == flip { turn(n, t.count, w) }
    if !t.dtype.isFloat, let v, memcmp_(v, w, own.bytes(t)) { note(n, site, v, v) } else { note(n, site, v, w) }
  }
  private func memcmp_(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ n: Int) -> Bool {
    for i in 0 ..< n where a.load(fromByteOffset: i, as: UInt8.self) != b.load(fromByteOffset: i, as: UInt8.self) { return false }
    return true
  }

  /// A node's own values as wide ones, in scratch.
  func widened(_ n: NodeID, _ pool: Pool) -> UnsafeMutableRawPointer? {
    let t = tape.type(n)
    guard let v = values[n.i] else { return nil }
    if !t.dtype.isFloat { return v }
    guard let p = pool.take(wide.bytes(t)) else { return nil }
    wide.convert(t.dtype, v, t.dtype, p, t.count)
    return p
  }

  private func look(_ n: NodeID, _ x: [NodeID]) {
    let op = tape.op(n), count = tape.type(n).count
    guard driver == .own, op.isElementwise, ck_row_class(Int32(op.raw)) == .COMPARE, count > 0 else { return }
    guard let a = widened(x[0], scratch), let b = widened(x[1], scratch), let f = keep.take(count) else { return }
    let flags = f.assumingMemoryBound(to: UInt8.self)
    let k = closeness(a, b, truths[x[0].i].unsafelyUnwrapped, truths[x[1].i].unsafelyUnwrapped, flags, count)
    if k > 0 {
      close.append((n, k))
      closeFlags[n] = UnsafePointer(flags)
    }
  }
  private(set) var closeFlags: [NodeID: UnsafePointer<UInt8>] = [:]
  /// What a flipped run turns over: the flags of the run that found them.
  var turning: UnsafePointer<UInt8>?
  private func turn(_ n: NodeID, _ count: Int, _ w: UnsafeMutableRawPointer) {
    guard let turning else { return }
    let p = w.assumingMemoryBound(to: UInt8.self)
    for i in 0 ..< count where turning[i] != 0 { p[i] = 1 - p[i] }
  }

  private func closeness(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ x: UnsafeRawPointer, _ y: UnsafeRawPointer, _ flags: UnsafeMutablePointer<UInt8>, _ n: Int) -> Int {
    if quad { return ck_quad_close(a, b, x, y, flags, n) }
    var count = 0
    let p = a.assumingMemoryBound(to: Double.self), q = b.assumingMemoryBound(to: Double.self), r = x.assumingMemoryBound(to: Double.self), s = y.assumingMemoryBound(to: Double.self)
    for i in 0 ..< n {
      let near = p[i] - q[i], c = r[i] - s[i], e = near == c ? 0 : abs(near - c)
      flags[i] = e > 0 && !(abs(c) > 2 * e) ? 1 : 0
      count += Int(flags[i])
    }
    return count
  }

  // MARK: loops and branches

  private func tuple(_ source: Tape, _ n: NodeID, _ x: [NodeID], _ site: Int32) -> [NodeID] {
    switch source.structural(n) {
    case .scan: return loop(source.scanShape(n), x, site)
    case .whileLoop: return repeated(source.whileShape(n), x, site)
    case .cond:
      let bodies = source.condShape(n).bodies, k = choice(x[0], bodies.count)
      return inner(bodies[k], x.dropFirst().map { $0 }, site)
    case .checkpoint: return Array(x[..<source.attrs(n)[0]])
    case .custom: return Array(x[(source.attrs(n)[1] + source.attrs(n)[2])...])
    case .host: return host(source, n, x)
    default: return []
    }
  }
  private var orders: [ObjectIdentifier: [NodeID]] = [:]
  private func inner(_ b: Body, _ x: [NodeID], _ site: Int32) -> [NodeID] {
    let id = ObjectIdentifier(b)
    if orders[id] == nil {
      guard let o = b.tape.order(b.outputs) else { _ = refused(); return b.outputs.map { _ in .none } }
      orders[id] = (0 ..< o.count).map { o[$0] }
    }
    var seeds: [NodeID: NodeID] = [:]
    for (k, i) in b.inputs.enumerated() { seeds[i] = x[k] }
    return run(b.tape, orders[id] ?? [], b.outputs, seeds, site)
  }

  /// The number that a node holds, as the driver sees it; noted where wide values say otherwise.
  private func whole(_ n: NodeID) -> Int {
    func read(_ p: UnsafeMutableRawPointer?) -> Int {
      guard let p else { return 0 }
      switch tape.dtype(n) {
      case .bool: return Int(p.load(as: UInt8.self))
      case .i32: return Int(p.load(as: Int32.self))
      default: return Int(p.load(as: Int64.self))
      }
    }
    let w = read(truths[n.i])
    if driver == .wide { return w }
    let v = read(values[n.i])
    if v != w { turned.append(n) }
    return v
  }
  private func choice(_ n: NodeID, _ count: Int) -> Int { max(0, min(whole(n), count - 1)) }

  private func made(_ n: NodeID, _ site: Int32) -> NodeID {
    if tape.failure != nil { return adopt() }
    if !n.isNone, !known(n) { settle(site) }
    return n
  }

  private func loop(_ s: ScanShape, _ x: [NodeID], _ site: Int32) -> [NodeID] {
    var carries = Array(x[..<s.carries]), stacked = [[NodeID]](repeating: [], count: s.ys)
    let xs = x[s.carries ..< s.carries + s.xs], consts = Array(x[(s.carries + s.xs)...])
    for k in 0 ..< s.length {
      let i = s.reverse ? s.length - 1 - k : k
      let slices = xs.map { row($0, i, site) }
      if failure != nil { return [] }
      let y = inner(s.body, carries + slices + consts, site)
      if failure != nil { return [] }
      carries = Array(y[..<s.carries])
      for j in 0 ..< s.ys { stacked[j].append(y[s.carries + j]) }
    }
    return carries + stacked.indices.map { j in
      let t = s.body.tape.type(s.body.outputs[s.carries + j])
      return stack(s.reverse ? stacked[j].reversed() : stacked[j], t, site)
    }
  }
  private func row(_ x: NodeID, _ i: Int, _ site: Int32) -> NodeID {
    let s = tape.shape(x)
    let cut = made(tape.slice(x, axis: -s.count, start: i, count: 1), site)
    if cut.isNone { return cut }
    return made(tape.reshape(cut, Array(s.dropFirst())), site)
  }
  private func stack(_ list: [NodeID], _ t: TensorType, _ site: Int32) -> NodeID {
    if list.isEmpty { return made(tape.full(TensorType(t.dtype, [0] + t.shape), 0), site) }
    var parts = list.map { made(tape.reshape($0, [1] + t.shape), site) }
    while parts.count > 1, failure == nil {
      parts = stride(from: 0, to: parts.count, by: 4096).map { k in made(tape.concat(Array(parts[k ..< min(k + 4096, parts.count)]), axis: -t.rank - 1), site) }
    }
    return parts[0]
  }

  private func repeated(_ s: WhileShape, _ x: [NodeID], _ site: Int32) -> [NodeID] {
    var carries = Array(x[..<s.carries]), steps = 0
    let consts = Array(x[s.carries ..< s.carries + s.consts])
    var on = whole(x[s.carries + s.consts]) != 0
    while on, failure == nil, s.limit < 0 || steps < s.limit {
      let y = inner(s.body, carries + consts, site)
      if failure != nil { return [] }
      carries = Array(y[..<s.carries])
      on = whole(y[s.carries]) != 0
      steps += 1
      if steps > limit { _ = fail(.memory, "rounding: a loop of more than \(limit) steps (option node_limit)") }
    }
    return carries
  }

  private func host(_ source: Tape, _ n: NodeID, _ x: [NodeID]) -> [NodeID] {
    let h = source.hostShape(n), types = source.tupleMembers(n)
    guard driver == .own else { return [fail(.invalid, "rounding: \(h.function.name) is the host's: it has no other branch")] }
    let step = HostStep(h.function, x.map { tape.type($0) }, types, batch: h.batch, h.flags)
    var results: [UnsafeMutableRawPointer?] = []
    for t in types { guard let p = keep.take(t.bytes) else { return [refused()] }; results.append(p) }
    let operands = x.map { UnsafeRawPointer(values[$0.i].unsafelyUnwrapped) as UnsafeRawPointer? } + [nil]
    results.append(nil)
    if let f = operands.withUnsafeBufferPointer({ p in results.withUnsafeBufferPointer { q in
      p.baseAddress.flatMap { a in q.baseAddress.flatMap { step.run(a, $0) } }
    } }) { return [fail(f.code, f.message)] }
    return types.enumerated().map { k, t in
      let n = input(t, results[k])
      if !n.isNone, t.dtype.isFloat { holes.append((n, "\(h.function.name) is the host's own: the error of its result is not known")) }
      return n
    }
  }
}
