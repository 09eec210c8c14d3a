import CKernels
package import Tape

/// One number that is not finite, where it was born.
package struct Birth {
  package struct Operand {
    /// The operand's operator, its element, and its value; `isWhole`: the element stands for all that the operator read.
    package var op: OpCode, element: Int, value: Double, shape: [Int], dtype: DType
    package var input: Int
  }
  package var kind: BirthKind
  /// On the outermost tape: the node itself, or the loop, branch or call that it is in.
  package var node: NodeID
  package var op: OpCode
  package var element: Int
  package var value: Double
  package var type: TensorType
  package var operands: [Operand]
  /// Steps of the loops around it, outermost first.
  package var steps: [Int]
  package var origin: Origin
  package var input = -1
  /// Among the findings: the infinity that it was made of; -1 where there is none.
  package var behind = -1
  /// Outputs that it reaches.
  package var outputs: [Int] = []
  var id: Int64 = 0, ancestor: Int64 = 0
}

/// Finds where the numbers of a tape's outputs that are not finite were born. Each element carries the number of its birth along; infinite
/// constants, and inputs declared masks, are no births as long as no NaN comes of them.
package final class Trace: Observer {
  private struct Instance { let base: Int64, count: Int, first: Int }
  package let tape: Tape
  package let inputs: [NodeID], outputs: [NodeID]
  package var masks: Set<Int> = []
  package var limit = 16
  package private(set) var births: [Birth] = []
  /// Of those, the ones that reach an output; the others are infinities behind them.
  package private(set) var findings = 0
  /// Nodes that took a NaN or an infinity and gave finite numbers; gates that left one out.
  package private(set) var kills = 0, suppressed = 0

  private var instances: [Instance] = []
  private var next: Int64 = 1
  private var known: [Int64: Birth] = [:]
  private var wanted: Set<Int64> = []
  private var isFirst = true
  /// The outermost node being run: the one that the host knows.
  private var legitimate: [(base: Int64, end: Int64)] = []
  private lazy var interpreter = Interpreter(self)

  package init(_ t: Tape, inputs: [NodeID], outputs: [NodeID]) throws(Failure) {
    if let f = t.failure { throw f }
    for (what, list) in [("input", inputs), ("output", outputs)] {
      for (i, n) in list.enumerated() where !t.contains(n) || t.isTuple(n) { throw Failure(.node, "nonfinite: \(what) \(i) is not a node of this tape") }
    }
    guard Set(inputs).count == inputs.count else { throw Failure(.invalid, "nonfinite: an input is given twice") }
    tape = t
    self.inputs = inputs
    self.outputs = outputs
  }

  package var inputTypes: [TensorType] { inputs.map { tape.type($0) } }

  /// True where an output has a number that is not finite and no mask.
  package func run(_ given: [UnsafeRawPointer?]) throws(Failure) -> Bool {
    births = []
    findings = 0
    known = [:]
    wanted = []
    isFirst = true
    // What went wrong on the tape since has nothing to do with these nodes.
    let since = tape.failure
    tape.failure = nil
    defer { tape.failure = since }
    for (i, n) in inputs.enumerated() where tape.type(n).count > 0 && given[i] == nil { throw Failure(.invalid, "nonfinite: input \(i) is NULL") }
    var found = try once(given)
    isFirst = false
    if found.isEmpty { return false }
    // Births whose operands were not looked at when they happened: once more. What is behind them may need another turn.
    for _ in 0 ..< 3 {
      wanted = []
      for f in found where known[f.id] == nil { wanted.insert(f.id) }
      for b in known.values where b.ancestor != 0 && known[b.ancestor] == nil && found.contains(where: { $0.id == b.id }) { wanted.insert(b.ancestor) }
      if wanted.isEmpty { break }
      found = try once(given)
    }
    gather(found)
    return findings > 0
  }

  private func gather(_ found: [(id: Int64, outputs: [Int])]) {
    for f in found.prefix(limit) {
      guard var b = known[f.id] else { continue }
      b.outputs = f.outputs
      births.append(b)
    }
    findings = births.count
    for k in 0 ..< findings where births[k].ancestor != 0 {
      if let i = births.firstIndex(where: { $0.id == births[k].ancestor }) {
        births[k].behind = i
      } else if let b = known[births[k].ancestor] {
        births[k].behind = births.count
        births.append(b)
      }
    }
  }

  /// By birth, each node's first: what reaches the outputs, in the order of births.
  private func once(_ given: [UnsafeRawPointer?]) throws(Failure) -> [(id: Int64, outputs: [Int])] {
    instances = []
    legitimate = []
    next = 1
    kills = 0
    suppressed = 0
    var values: [Value] = []
    for (i, n) in inputs.enumerated() {
      if let p = given[i] { values.append(Value(tape.type(n), at: UnsafeMutableRawPointer(mutating: p), of: nil)) } else { values.append(try Value(tape.type(n))) }
    }
    let out = try interpreter.run(tape, inputs, values, outputs)
    var first: [Int: (id: Int64, outputs: [Int])] = [:]
    for (k, v) in out.enumerated() {
      guard let m = v.marks else { continue }
      for i in 0 ..< m.count where m.p[i] != 0 && !isLegitimate(m.p[i]) {
        let at = instance(m.p[i])
        if var f = first[at] {
          f.id = min(f.id, m.p[i])
          if f.outputs.last != k { f.outputs.append(k) }
          first[at] = f
        } else {
          first[at] = (m.p[i], [k])
        }
      }
    }
    return first.values.sorted { $0.id < $1.id }
  }

  private func isLegitimate(_ id: Int64) -> Bool {
    for l in legitimate where id >= l.base && id < l.end { return true }
    return false
  }

  /// Which instance an id is of.
  private func instance(_ id: Int64) -> Int {
    var low = 0, high = instances.count
    while low < high {
      let m = (low + high) / 2
      if instances[m].base <= id { low = m + 1 } else { high = m }
    }
    return low - 1
  }

  private func born(_ n: Int, first: Int) -> Int64 {
    let base = next
    instances.append(Instance(base: base, count: n, first: first))
    next += Int64(max(n, 1))
    return base
  }

  // MARK: what the interpreter shows

  func leaf(_ t: Tape, _ n: NodeID, _ y: Value, _ input: Int, _ steps: [Int]) throws(Failure) {
    guard y.type.dtype.isFloat, y.type.count > 0, !ck_all_finite(y.type.dtype.rawValue, y.data, y.type.count) else { return }
    let marks = try Marks(y.type.count)
    var first = -1, allInfinite = true
    for i in 0 ..< y.type.count {
      let v = y.number(i)
      if v.isFinite { continue }
      if v.isNaN { allInfinite = false }
      if first < 0 || (v.isNaN && y.number(first).isInfinite) { first = i }
    }
    let base = born(y.type.count, first: first)
    for i in 0 ..< y.type.count where !y.number(i).isFinite { marks.p[i] = base + Int64(i) }
    y.marks = marks
    if input < 0 || masks.contains(input), allInfinite { legitimate.append((base, base + Int64(y.type.count))) }
    for i in picks(base, y.type.count, first) {
      let v = y.number(i)
      let kind: BirthKind = input < 0 ? .constant : v.isNaN ? (isPoison(y, i) ? .uninitialised : .inputNaN) : .inputInf
      keep(t, n, y, i, kind, [], steps, base, 0, input: input)
    }
  }

  /// A NaN that no arithmetic makes: what memory holds that was filled so on purpose, or never.
  private func isPoison(_ y: Value, _ i: Int) -> Bool {
    switch y.type.dtype {
    case .f64: return y.data.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self) & 0x0007_FFFF_FFFF_FFFF != 0
    case .f32: return y.data.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self) & 0x003F_FFFF != 0
    case .f16: return y.data.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self) & 0x01FF != 0
    case .bf16: return y.data.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self) & 0x003F != 0
    default: return false
    }
  }

  func made(_ t: Tape, _ n: NodeID, _ y: Value, _ x: [Value], _ steps: [Int]) throws(Failure) {
    let d = y.type.dtype, bad = d.isFloat && !ck_all_finite(d.rawValue, y.data, y.type.count), op = t.op(n)
    guard bad else {
      if x.contains(where: { $0.marks != nil }) {
        kills += 1
        if op == OpCode(Ternary.gate) { countSuppressed(x) }
      }
      return
    }
    if op == OpCode(Ternary.gate) { countSuppressed(x) }
    let marks = try Marks(y.type.count)
    y.marks = marks
    let sources = op.isElementwise || op.structural == .cast ? elementwise(y, x, marks) : try Groups(t, n, op.structural, y, x, interpreter).fill(marks)
    // What was not handed on was born here.
    var first = -1
    for i in 0 ..< marks.count where marks.p[i] == 0 && !y.number(i).isFinite { first = i; break }
    guard first >= 0 else { return }
    let base = born(marks.count, first: first)
    for i in first ..< marks.count where marks.p[i] == 0 && !y.number(i).isFinite { marks.p[i] = base + Int64(i) }
    for i in picks(base, marks.count, first) {
      let (kind, operands, ancestor) = look(t, n, op, y, x, i, sources)
      keep(t, n, y, i, kind, operands, steps, base, ancestor, input: -1)
    }
  }

  private func countSuppressed(_ x: [Value]) {
    guard x.count == 3 else { return }
    for m in [x[1].marks, x[2].marks] {
      guard let m else { continue }
      for i in 0 ..< m.count where m.p[i] != 0 && x[0].number(i) == 0 { suppressed += 1 }
    }
  }

  /// The elements whose operands are looked at now.
  private func picks(_ base: Int64, _ n: Int, _ first: Int) -> [Int] {
    if isFirst { return [first] }
    return wanted.filter { $0 >= base && $0 < base + Int64(max(n, 1)) && known[$0] == nil }.map { Int($0 - base) }
  }

  /// A NaN goes back to a NaN of its operands, an infinity to an infinity; the earliest where there are several.
  private func elementwise(_ y: Value, _ x: [Value], _ marks: Marks) -> Groups? {
    let list = x.filter { $0.marks != nil }
    if list.isEmpty { return nil }
    for i in 0 ..< marks.count {
      let v = y.number(i)
      if v.isFinite { continue }
      var id: Int64 = 0
      for o in list {
        guard let m = o.marks?.p[i], m != 0, o.number(i).isNaN == v.isNaN, id == 0 || m < id else { continue }
        id = m
      }
      marks.p[i] = id
    }
    return nil
  }

  private func look(_ t: Tape, _ n: NodeID, _ op: OpCode, _ y: Value, _ x: [Value], _ i: Int, _ g: Groups?) -> (BirthKind, [Birth.Operand], Int64) {
    var operands: [Birth.Operand] = [], ancestor: Int64 = 0
    let nodes = t.inputs(n)
    func add(_ k: Int, _ j: Int) {
      let v = x[k]
      guard j >= 0, j < v.type.count else { return }
      let m = k < nodes.count ? nodes[k] : .none
      operands.append(Birth.Operand(op: t.op(m), element: j, value: v.number(j), shape: v.type.shape, dtype: v.type.dtype, input: number(of: m, in: t)))
      if let id = v.marks?.p[j], id != 0, ancestor == 0 || id < ancestor { ancestor = id }
    }
    if op.isElementwise {
      for k in x.indices { add(k, i) }
      return (t.kind(op, x.map { $0.number(i) }, y.number(i)), operands, ancestor)
    }
    if op.structural == .cast {
      add(0, i)
      return (.overflow, operands, ancestor)
    }
    guard let g else { return (.host, operands, ancestor) }
    for (k, j) in g.representatives(i) { add(k, j) }
    return (g.kind(y.number(i)), operands, ancestor)
  }

  private func number(of n: NodeID, in t: Tape) -> Int { t === tape ? inputs.firstIndex(of: n) ?? -1 : -1 }

  private func keep(_ t: Tape, _ n: NodeID, _ y: Value, _ i: Int, _ kind: BirthKind, _ operands: [Birth.Operand], _ steps: [Int], _ base: Int64, _ ancestor: Int64, input: Int) {
    var b = Birth(kind: kind, node: t === tape ? n : interpreter.outermost, op: t.op(n), element: i, value: y.number(i), type: y.type, operands: operands, steps: steps, origin: t.origin(n))
    b.id = base + Int64(i)
    b.ancestor = ancestor
    b.input = input
    if t !== tape, b.origin.label == nil { b.origin.label = tape.origin(interpreter.outermost).label }
    known[b.id] = b
  }
}
