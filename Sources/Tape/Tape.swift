import CKernels
import Synchronization

private let serials = Atomic<Int32>(1)

/// One node: 24 bytes. Up to three inputs stand in it; more stand in the tape's pool, from `a` on. A scalar constant keeps its
/// 64 bits in `a` and `b`.
package struct Record: BitwiseCopyable {
  package var op: UInt16
  package var arity: UInt16
  package var type: Int32
  package var a: Int32, b: Int32, c: Int32
  package var attrs: Int32

  package init(op: UInt16, arity: UInt16, type: Int32, a: Int32, b: Int32, c: Int32, attrs: Int32) {
    self.op = op
    self.arity = arity
    self.type = type
    self.a = a
    self.b = b
    self.c = c
    self.attrs = attrs
  }
}

/// A typed, append-only, hash-consed arena of nodes. Inputs of a node come before it. The first error sticks: from then on every
/// building call returns `NodeID.none`.
package final class Tape {
  package let serial: Int32
  package let parent: Tape?
  /// Enclosing tapes: recursions over loops in loops go as deep.
  package let depth: Int
  package static let depthLimit = 256
  package var failure: Failure?

  var records = Buffer<Record>()
  var pool = Buffer<Int32>()
  /// The hash table: lines of eight entries, and what did not fit into its line.
  private var lines = Buffer<UInt64>(), spills = Buffer<UInt64>()
  private var spillCount = 0
  package private(set) var types: [TensorType] = []
  private var typeIndex: [TensorType: Int32] = [:]
  private var boolTypes: [Int32] = []
  package private(set) var attributes: [[Int]] = [[]]
  private var attributeIndex: [[Int]: Int32] = [[]: 0]
  package internal(set) var arrays: [ArrayConstant] = []
  package internal(set) var bodies: [Body] = []
  package internal(set) var guards: [Guard] = []
  let labels = Labels()
  var tuples: [[Int32]] = []
  /// The host's own functions and derivatives that nodes name.
  var functions: [HostFunction] = []
  package internal(set) var rules: [Rule] = []
  /// Operators of the host's by what tells them apart, on the outermost tape.
  private var operators: [[UInt8]: AnyObject] = [:]
  var functionIndex: [ObjectIdentifier: Int] = [:], ruleIndex: [ObjectIdentifier: Int] = [:]
  /// By hash: arrays, bodies, lists of members.
  var arrayIndex: [UInt64: [Int]] = [:], bodyIndex: [UInt64: [Int]] = [:]
  private var tupleIndex: [[Int32]: Int32] = [:]
  private var inputCount: Int32 = 0
  var starts: (node: NodeID, list: [Int]) = (.none, [])

  package init(parent: Tape? = nil) {
    serial = serials.wrappingAdd(1, ordering: .relaxed).oldValue & 0x7FFF_FFFF
    self.parent = parent
    depth = parent.map { $0.depth + 1 } ?? 0
    for d in DType.allCases { _ = intern(TensorType(d, [])) }
  }

  deinit { for a in arrays where a.owner == nil { ck_free(a.data) } }

  /// The operator of the host's under `key`, made once for this tape and those inside it.
  package func hostOperator<T: AnyObject>(_ key: [UInt8], _ make: () -> T) -> T {
    var root = self
    while let p = root.parent { root = p }
    if let known = root.operators[key] as? T { return known }
    let made = make()
    root.operators[key] = made
    return made
  }

  package var count: Int { records.count }
  package var bytes: Int {
    var sum = records.bytes + pool.bytes + lines.bytes + spills.bytes + types.count * 64 + attributes.count * 64
    for a in arrays { sum += a.bytes }
    for b in bodies { sum += b.tape.bytes }
    return sum
  }

  // MARK: reading

  /// The records and the pool of operands as they lie, until the next node is recorded.
  package var recordBase: UnsafePointer<Record>? { records.base.map { UnsafePointer($0) } }
  package var poolBase: UnsafePointer<Int32>? { pool.base.map { UnsafePointer($0) } }
  /// `none` reads as a scalar, so that a transform may go on to its end after memory was refused. No result of it is given out.
  @inline(__always) package func record(_ n: NodeID) -> Record {
    n.index >= 0 ? records[n.i] : Record(op: Structural.constant.rawValue, arity: 0, type: 0, a: 0, b: 0, c: 0, attrs: 0)
  }
  package func op(_ n: NodeID) -> OpCode { OpCode(raw: record(n).op) }
  package func typeID(_ n: NodeID) -> Int32 { record(n).type }
  package func type(_ n: NodeID) -> TensorType { types[Int(record(n).type)] }
  package func dtype(_ n: NodeID) -> DType { types[Int(record(n).type)].dtype }
  package func shape(_ n: NodeID) -> [Int] { types[Int(record(n).type)].shape }
  package func attrs(_ n: NodeID) -> [Int] { attributes[Int(record(n).attrs)] }
  package func arity(_ n: NodeID) -> Int { Int(record(n).arity) }
  @inline(__always) package func input(_ n: NodeID, _ slot: Int) -> NodeID { input(of: record(n), slot) }
  @inline(__always) package func input(of r: Record, _ slot: Int) -> NodeID {
    if r.arity > 3 { return NodeID(pool[Int(r.a) + slot]) }
    return NodeID(slot == 0 ? r.a : slot == 1 ? r.b : r.c)
  }
  package func inputs(_ n: NodeID) -> [NodeID] { (0 ..< arity(n)).map { input(n, $0) } }
  package func contains(_ n: NodeID) -> Bool { n.index >= 0 && n.i < records.count }
  package func structural(_ n: NodeID) -> Structural? { Structural(rawValue: record(n).op) }

  /// The 64 bits of a scalar constant: a double for floats, an integer otherwise.
  package func constantBits(_ n: NodeID) -> UInt64 {
    let r = record(n)
    return UInt64(UInt32(bitPattern: r.a)) | UInt64(UInt32(bitPattern: r.b)) << 32
  }
  /// The constant that fills `n`, seen through broadcasts and reshapes; nil when it is none.
  package func uniformConstant(_ n: NodeID) -> NodeID? {
    var m = n
    while true {
      switch structural(m) {
      case .constant: return m
      case .broadcast, .reshape: m = input(m, 0)
      default: return nil
      }
    }
  }
  package func isUniform(_ n: NodeID, _ value: Double) -> Bool {
    guard let c = uniformConstant(n) else { return false }
    let d = dtype(c)
    return d.isFloat ? constantBits(c) == value.bitPattern : Int64(bitPattern: constantBits(c)) == Int64(value)
  }

  // MARK: failing

  @discardableResult
  package func fail(_ code: Code, _ message: @autoclosure () -> String) -> NodeID {
    if failure == nil { failure = Failure(code, message()) }
    return .none
  }

  // MARK: types and attributes

  package func intern(_ t: TensorType) -> Int32 {
    if let i = typeIndex[t] { return i }
    let i = Int32(types.count)
    types.append(t)
    typeIndex[t] = i
    boolTypes.append(-1)
    return i
  }
  @inline(__always) func boolType(_ type: Int32) -> Int32 {
    let known = boolTypes[Int(type)]
    if known >= 0 { return known }
    let t = intern(types[Int(type)].with(.bool))
    boolTypes[Int(type)] = t
    return t
  }
  func intern(attributes a: [Int]) -> Int32 {
    if a.isEmpty { return 0 }
    if let i = attributeIndex[a] { return i }
    let i = Int32(attributes.count)
    attributes.append(a)
    attributeIndex[a] = i
    return i
  }

  // MARK: interning nodes

  private func hash(_ r: Record) -> UInt64 {
    var h = UInt64(r.op) | UInt64(r.arity) << 16 | UInt64(UInt32(bitPattern: r.type)) << 32
    func mix(_ v: UInt64) { h = (h ^ v) &* 0x9E37_79B9_7F4A_7C15; h ^= h >> 29 }
    mix(UInt64(UInt32(bitPattern: r.attrs)))
    if r.arity > 3 {
      for k in 0 ..< Int(r.arity) { mix(UInt64(UInt32(bitPattern: pool[Int(r.a) + k]))) }
    } else {
      mix(UInt64(UInt32(bitPattern: r.a)) | UInt64(UInt32(bitPattern: r.b)) << 32)
      mix(UInt64(UInt32(bitPattern: r.c)))
    }
    return h
  }

  private func same(_ x: Record, _ y: Record) -> Bool {
    guard x.op == y.op, x.arity == y.arity, x.type == y.type, x.attrs == y.attrs else { return false }
    if x.arity <= 3 { return x.a == y.a && x.b == y.b && x.c == y.c }
    for k in 0 ..< Int(x.arity) where pool[Int(x.a) + k] != pool[Int(y.a) + k] { return false }
    return true
  }

  /// The line of eight entries where a node lies: that of its latest operand, so that what is recorded together lies together.
  @inline(__always) private func line(_ r: Record, _ hash: UInt64) -> Int {
    let latest: Int32 = r.arity == 0 || r.arity > 3 ? Int32(truncatingIfNeeded: hash >> 33) : max(r.a, r.b, r.c)
    return Int(latest) & (lines.count / 8 - 1)
  }

  /// An entry: 32 bits of hash above, the index below; all ones = free.
  @inline(__always) private func entry(_ hash: UInt64, _ i: Int) -> UInt64 { hash & 0xFFFF_FFFF_0000_0000 | UInt64(i) }
  private static let free = UInt64.max

  private func growLines() -> Bool {
    let size = lines.count == 0 ? 512 : lines.count * 2
    var bigger = Buffer<UInt64>()
    guard bigger.resize(size, filling: Tape.free) else { return false }
    lines = bigger
    spills.removeAll()
    spillCount = 0
    for i in 0 ..< records.count {
      let r = records[i], h = hash(r)
      guard find(r, h, inserting: i) == i else { return false }
    }
    return true
  }

  private func growSpills() -> Bool {
    var bigger = Buffer<UInt64>()
    let size = spills.count == 0 ? 64 : spills.count * 2
    guard bigger.resize(size, filling: Tape.free) else { return false }
    for k in 0 ..< spills.count where spills[k] != Tape.free {
      let i = Int(spills[k] & 0xFFFF_FFFF)
      var s = Int(truncatingIfNeeded: hash(records[i])) & (size - 1)
      while bigger[s] != Tape.free { s = (s + 1) & (size - 1) }
      bigger[s] = spills[k]
    }
    spills = bigger
    return true
  }

  /// The index of the node equal to `r`, or `new`, under which it is now filed; -1 when memory is refused.
  private func find(_ r: Record, _ h: UInt64, inserting new: Int) -> Int {
    let tag = h & 0xFFFF_FFFF_0000_0000, start = line(r, h) * 8
    for k in start ..< start + 8 {
      let e = lines[k]
      if e == Tape.free {
        lines[k] = entry(h, new)
        return new
      }
      if e & 0xFFFF_FFFF_0000_0000 == tag, same(records[Int(e & 0xFFFF_FFFF)], r) { return Int(e & 0xFFFF_FFFF) }
    }
    // The line is full: open addressing for the rest.
    if spillCount * 2 >= spills.count, !growSpills() { return -1 }
    let mask = spills.count - 1
    var s = Int(truncatingIfNeeded: h) & mask
    while spills[s] != Tape.free {
      let e = spills[s]
      if e & 0xFFFF_FFFF_0000_0000 == tag, same(records[Int(e & 0xFFFF_FFFF)], r) { return Int(e & 0xFFFF_FFFF) }
      s = (s + 1) & mask
    }
    spills[s] = entry(h, new)
    spillCount += 1
    return new
  }

  /// The node equal to `r`, new or old.
  func intern(_ r: Record) -> NodeID {
    guard records.count < Int32.max - 1 else { return outOfMemory() }
    if records.count * 8 >= lines.count * 5, !growLines() { return outOfMemory() }
    guard records.makeRoom() else { return outOfMemory() }
    let i = find(r, hash(r), inserting: records.count)
    if i == records.count {
      _ = records.append(r)
    } else if i < 0 {
      return outOfMemory()
    } else if r.arity > 3, Int(r.a) + Int(r.arity) == pool.count {
      _ = pool.resize(Int(r.a), filling: 0)
    }
    return NodeID(Int32(truncatingIfNeeded: i))
  }

  func outOfMemory() -> NodeID { fail(.memory, "tape: memory was refused at node \(records.count)") }

  func add(_ op: OpCode, _ inputs: [NodeID], type: Int32, attrs: [Int]) -> NodeID {
    var r = Record(op: op.raw, arity: UInt16(truncatingIfNeeded: inputs.count), type: type, a: -1, b: -1, c: -1, attrs: intern(attributes: attrs))
    guard inputs.count < 65536 else { return fail(.invalid, "\(op.name): \(inputs.count) operands; at most 65535 are taken") }
    if inputs.count > 3 {
      guard pool.count < Int(Int32.max) - 65536 else { return outOfMemory() }
      r.a = Int32(pool.count)
      for x in inputs where !pool.append(x.index) { return outOfMemory() }
    } else {
      if inputs.count > 0 { r.a = inputs[0].index }
      if inputs.count > 1 { r.b = inputs[1].index }
      if inputs.count > 2 { r.c = inputs[2].index }
    }
    return intern(r)
  }

  // MARK: leaves

  package func input(_ type: TensorType) -> NodeID {
    guard failure == nil else { return .none }
    inputCount += 1
    return intern(Record(op: Structural.input.rawValue, arity: 0, type: intern(type), a: inputCount, b: 0, c: 0, attrs: 0))
  }

  package func constant(_ dtype: DType, bits: UInt64) -> NodeID {
    guard failure == nil else { return .none }
    return intern(Record(op: Structural.constant.rawValue, arity: 0, type: dtype.rawValue,
                         a: Int32(truncatingIfNeeded: bits), b: Int32(truncatingIfNeeded: bits >> 32), c: 0, attrs: 0))
  }

  /// The outer tape's node as an operand of this sub-tape.
  func capture(_ outer: NodeID, _ type: TensorType) -> NodeID {
    intern(Record(op: Structural.capture.rawValue, arity: 0, type: intern(type), a: outer.index, b: 0, c: 0, attrs: 0))
  }

  /// The node with this serial number and index, here; a node of an enclosing tape is captured. `none` when it is neither, or a tuple.
  package func resolve(serial s: Int32, index: Int32) -> NodeID {
    if s == serial { return index >= 0 && Int(index) < records.count && records[Int(index)].type >= 0 ? NodeID(index) : .none }
    guard let parent else { return .none }
    let before = parent.failure != nil, outer = parent.resolve(serial: s, index: index)
    if !before, let f = parent.failure { return fail(f.code, f.message) }
    return outer.isNone ? .none : capture(outer, parent.type(outer))
  }

  func tupleType(_ members: [Int32]) -> Int32 {
    if let i = tupleIndex[members] { return -2 - i }
    tupleIndex[members] = Int32(tuples.count)
    tuples.append(members)
    return -1 - Int32(tuples.count)
  }
  /// Node for node the same: what the same steps build twice.
  func equals(_ o: Tape) -> Bool {
    if self === o { return true }
    guard parent === o.parent, records.count == o.records.count, pool.count == o.pool.count, arrays.count == o.arrays.count, bodies.count == o.bodies.count,
          types == o.types, attributes == o.attributes, tuples == o.tuples,
          functions.elementsEqual(o.functions, by: ===), rules.elementsEqual(o.rules, by: ===) else { return false }
    for i in 0 ..< records.count where !same(records[i], o.records[i]) { return false }
    for i in 0 ..< pool.count where pool[i] != o.pool[i] { return false }
    for (a, b) in zip(arrays, o.arrays) where a.hash != b.hash || a.bytes != b.bytes
      || !UnsafeRawBufferPointer(start: a.data, count: a.bytes).elementsEqual(UnsafeRawBufferPointer(start: b.data, count: b.bytes)) { return false }
    return zip(bodies, o.bodies).allSatisfy { $0.equals($1) }
  }
  func memberType(_ n: NodeID, _ k: Int) -> Int32 { tuples[Int(-2 - records[n.i].type)][k] }
  package func memberCount(_ n: NodeID) -> Int { tuples[Int(-2 - records[n.i].type)].count }
  package func tupleMembers(_ n: NodeID) -> [TensorType] { tuples[Int(-2 - records[n.i].type)].map { types[Int($0)] } }
  package func isTuple(_ n: NodeID) -> Bool { records[n.i].type <= -2 }
}

/// The name under which modules that have a `Tape` of their own reach this one.
package typealias CoreTape = Tape

/// A constant array in the tape's own memory, or in its owner's, which other tapes may share.
package struct ArrayConstant {
  package let data: UnsafeMutableRawPointer, bytes: Int, hash: UInt64
  var owner: AnyObject?
}

/// The body of a loop: a tape with its inputs (carries, slices, then captured nodes) and outputs (carries, then y's).
package final class Body {
  package let tape: Tape
  package let inputs: [NodeID], outputs: [NodeID]
  package init(tape: Tape, inputs: [NodeID], outputs: [NodeID]) {
    self.tape = tape
    self.inputs = inputs
    self.outputs = outputs
  }
  /// Of equal bodies the same.
  var hash: UInt64 {
    var h = UInt64(tape.count) | UInt64(inputs.count) << 32 | UInt64(outputs.count) << 48
    for o in outputs { h = (h ^ UInt64(UInt32(bitPattern: o.index)) ^ UInt64(tape.record(o).op) << 32) &* 0x9E37_79B9_7F4A_7C15 }
    return h
  }
  func equals(_ o: Body) -> Bool { inputs == o.inputs && outputs == o.outputs && tape.equals(o.tape) }
}
