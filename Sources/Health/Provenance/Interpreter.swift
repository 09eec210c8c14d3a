import CKernels
import Runtime
package import Tape

/// What looks on while a tape is run.
protocol Observer: AnyObject {
  /// `y` is the value of `n`, from operands `x`; `steps` are the steps of the loops around it, outermost first.
  func made(_ t: Tape, _ n: NodeID, _ y: Value, _ x: [Value], _ steps: [Int]) throws(Failure)
  /// `n` is a leaf: an input (its number), or a constant (-1).
  func leaf(_ t: Tape, _ n: NodeID, _ y: Value, _ input: Int, _ steps: [Int]) throws(Failure)
  func entered(_ b: Body, _ x: [Value])
}

extension Observer {
  /// A loop's or branch's body is run on `x`.
  func entered(_ b: Body, _ x: [Value]) {}
}

/// Runs a tape node by node with the rows' own kernels: slowly, seeing every value, and keeping each until its last reader. Kernels give
/// the bits of compiled programs.
final class Interpreter {
  private unowned let observer: any Observer
  private var layouts: [ObjectIdentifier: Layout] = [:]
  private var kept: [Body] = []
  private(set) var steps: [Int] = []
  /// On the outermost tape: the node that is being run.
  private(set) var outermost = NodeID.none

  init(_ o: any Observer) { observer = o }

  func run(_ t: Tape, _ inputs: [NodeID], _ values: [Value], _ outputs: [NodeID]) throws(Failure) -> [Value] {
    let saved = ck_fenv_enter()
    defer { ck_fenv_leave(saved) }
    return try evaluate(t, try Layout(t, outputs, cut: inputs), inputs, values, outputs, isOuter: true)
  }

  private func evaluate(_ t: Tape, _ layout: Layout, _ inputs: [NodeID], _ given: [Value], _ outputs: [NodeID], isOuter: Bool) throws(Failure) -> [Value] {
    let values = try Values(t.count)
    var isInput: Set<NodeID> = []
    for (n, v) in zip(inputs, given) { values[n] = v; isInput.insert(n) }
    for k in 0 ..< layout.nodes.count {
      let n = layout.nodes[k], r = t.record(n)
      if isOuter { outermost = n }
      if isInput.contains(n) {
        if isOuter, let v = values[n] { try observer.leaf(t, n, v, inputs.firstIndex(of: n) ?? 0, steps) }
        continue
      }
      if r.type <= -2 {
        values.set(tuple: n, try tuple(t, n, values))
      } else if r.op == Structural.part.rawValue {
        values[n] = values.member(NodeID(r.a), t.attrs(n)[0])
      } else {
        values[n] = try node(t, n, r, values)
      }
      for slot in 0 ..< Int(r.arity) {
        let x = t.input(of: r, slot)
        if layout.last[x] == Int32(k) { values.drop(x, tuple: t.isTuple(x)) }
      }
    }
    var results: [Value] = []
    for o in outputs {
      guard let v = values[o] else { throw Failure(.invalid, "nonfinite: an output depends on an input that is not listed") }
      results.append(v)
    }
    return results
  }

  private func operands(_ t: Tape, _ n: NodeID, _ values: Values) throws(Failure) -> [Value] {
    var x: [Value] = []
    for m in t.inputs(n) {
      guard let v = values[m] else { throw Failure(.invalid, "nonfinite: a node depends on an input that is not listed") }
      x.append(v)
    }
    return x
  }

  private func node(_ t: Tape, _ n: NodeID, _ r: Record, _ values: Values) throws(Failure) -> Value {
    let type = t.type(n), op = OpCode(raw: r.op)
    switch op.structural {
    case .input, .capture: throw Failure(.invalid, "nonfinite: a node depends on an input that is not listed")
    case .constant:
      let v = try Value(type)
      store(t.constantBits(n), type.dtype, v.data)
      try observer.leaf(t, n, v, -1, steps)
      return v
    case .array:
      let v = Value(type, at: t.arrays[Int(r.a)].data, of: t)
      try observer.leaf(t, n, v, -1, steps)
      return v
    case .reshape:
      let x = try operands(t, n, values)[0], v = Value(type, at: x.data, of: x)
      v.marks = x.marks
      return v
    case .after:
      return try operands(t, n, values)[0]
    default: break
    }
    let x = try operands(t, n, values), y = try Value(type)
    if type.count > 0 {
      if op.isElementwise { try elementwise(op, x, y) } else if let s = op.structural { try apply(s, x, t.attrs(n), y) }
      try observer.made(t, n, y, x, steps)
    }
    return y
  }

  private func store(_ bits: UInt64, _ d: DType, _ p: UnsafeMutableRawPointer) {
    switch d {
    case .f64, .i64: p.storeBytes(of: bits, as: UInt64.self)
    case .f32: p.storeBytes(of: Float(Double(bitPattern: bits)), as: Float.self)
    case .f16, .bf16:
      var f = Double(bitPattern: bits)
      ck_cast_kernel(DType.f64.rawValue, d.rawValue)?(&f, nil, nil, p, 1)
    case .i32: p.storeBytes(of: Int32(truncatingIfNeeded: bits), as: Int32.self)
    case .bool: p.storeBytes(of: bits != 0 ? 1 : 0, as: UInt8.self)
    }
  }

  /// Rows of 16-bit numbers run in f32 and are rounded once.
  private func elementwise(_ op: OpCode, _ x: [Value], _ y: Value) throws(Failure) {
    let d = op.elementwiseDType(x[0].type.dtype, x.count > 1 ? x[1].type.dtype : nil)
    var wide = x
    if d.isHalf { for i in x.indices where x[i].type.dtype.isHalf { wide[i] = try cast(x[i], .f32) } }
    let out = y.type.dtype.isHalf ? try Value(y.type.with(.f32)) : y
    guard let kernel = ck_row_kernel(Int32(op.raw), d.compute.rawValue) else { throw Failure(.dtype, "\(op.name): has no kernel for \(d.name)") }
    kernel(wide[0].data, wide.count > 1 ? wide[1].data : nil, wide.count > 2 ? wide[2].data : nil, out.data, y.type.count)
    if out !== y { ck_cast_kernel(DType.f32.rawValue, y.type.dtype.rawValue)?(out.data, nil, nil, y.data, y.type.count) }
  }
  private func cast(_ x: Value, _ d: DType) throws(Failure) -> Value {
    let v = try Value(x.type.with(d))
    ck_cast_kernel(x.type.dtype.rawValue, d.rawValue)?(x.data, nil, nil, v.data, x.type.count)
    return v
  }

  /// A row's kernel on these operands.
  func apply(_ s: Structural, _ x: [Value], _ attrs: [Int], _ y: Value) throws(Failure) {
    let r = row(s), types = x.map(\.type), bytes = r.scratch(types, attrs, y.type)
    var scratch: UnsafeMutableRawPointer?
    if bytes > 0 {
      scratch = ck_alloc(bytes)
      if scratch == nil { throw Failure(.memory, "\(r.name): \(bytes) bytes were refused") }
    }
    defer { if let scratch { ck_free(scratch) } }
    var table: [UnsafeRawPointer?] = x.map { UnsafeRawPointer($0.data) } + [UnsafeRawPointer(y.data), scratch.map { UnsafeRawPointer($0) }]
    let said: String?? = table.withUnsafeMutableBytes { p in
      p.baseAddress.map { r.kernel(Call(x: UnsafePointer($0.assumingMemoryBound(to: UnsafeRawPointer.self)), types: types, type: y.type, attrs: attrs, geometry: r.geometry(types, attrs, y.type))) }
    }
    if let sentence = said ?? nil { throw Failure(.invalid, sentence) }
  }

  // MARK: tuples

  private func tuple(_ t: Tape, _ n: NodeID, _ values: Values) throws(Failure) -> [Value] {
    let a = t.attrs(n)
    switch t.structural(n) {
    case .checkpoint:
      return Array(try operands(t, n, values)[..<a[0]])
    case .custom:
      return Array(try operands(t, n, values)[(a[1] + a[2])...])
    case .scan: return try scan(t, n, try operands(t, n, values))
    case .whileLoop: return try loop(t, n, try operands(t, n, values))
    case .cond:
      let x = try operands(t, n, values), bodies = t.condShape(n).bodies
      let choice = max(0, min(Int(x[0].number(0)), bodies.count - 1))
      return try body(bodies[choice], Array(x[1...]))
    case .host: return try host(t, n, try operands(t, n, values))
    default: throw Failure(.invalid, "nonfinite: \(t.op(n).name) cannot be run by itself")
    }
  }

  private func body(_ b: Body, _ x: [Value]) throws(Failure) -> [Value] {
    let id = ObjectIdentifier(b), layout: Layout
    if let l = layouts[id] { layout = l } else {
      layout = try Layout(b.tape, b.outputs, cut: b.inputs)
      layouts[id] = layout
      kept.append(b)   // its identity stays its own
    }
    observer.entered(b, x)
    return try evaluate(b.tape, layout, b.inputs, x, b.outputs, isOuter: false)
  }

  private func scan(_ t: Tape, _ n: NodeID, _ x: [Value]) throws(Failure) -> [Value] {
    let s = t.scanShape(n), members = t.tupleMembers(n)
    var carries = Array(x[..<s.carries])
    var ys: [Value] = []
    for m in members[s.carries...] { ys.append(try Value(m)) }
    for k in 0 ..< s.length {
      let i = s.reverse ? s.length - 1 - k : k
      var given = carries
      for v in x[s.carries ..< s.carries + s.xs] {
        let slice = TensorType(v.type.dtype, Array(v.type.shape.dropFirst())), part = Value(slice, at: v.data + i * slice.bytes, of: v)
        part.marks = v.marks.flatMap { Marks($0, from: i * slice.count, count: slice.count) }
        given.append(part)
      }
      given += x[(s.carries + s.xs)...]
      steps.append(i)
      let out = try body(s.body, given)
      steps.removeLast()
      carries = Array(out[..<s.carries])
      for (y, o) in zip(ys, out[s.carries...]) {
        if o.type.bytes > 0 { (y.data + i * o.type.bytes).copyMemory(from: o.data, byteCount: o.type.bytes) }
        if let m = o.marks {
          let all: Marks
          if let known = y.marks { all = known } else { all = try Marks(y.type.count) }
          for j in 0 ..< m.count { all.p[i * m.count + j] = m.p[j] }
          y.marks = all
        }
      }
    }
    return carries + ys
  }

  private func loop(_ t: Tape, _ n: NodeID, _ x: [Value]) throws(Failure) -> [Value] {
    let s = t.whileShape(n), consts = Array(x[s.carries ..< s.carries + s.consts])
    var carries = Array(x[..<s.carries]), go = x[s.carries + s.consts].number(0) != 0, k = 0
    while go, s.limit < 0 || k < s.limit {
      steps.append(k)
      let out = try body(s.body, carries + consts)
      steps.removeLast()
      carries = Array(out[..<s.carries])
      go = out[s.carries].number(0) != 0
      k += 1
    }
    return carries
  }

  private func host(_ t: Tape, _ n: NodeID, _ x: [Value]) throws(Failure) -> [Value] {
    let s = t.hostShape(n), members = t.tupleMembers(n)
    let step = HostStep(s.function, x.map(\.type), members, batch: s.batch, s.flags)
    var ys: [Value] = []
    for m in members { ys.append(try Value(m)) }
    let ins: [UnsafeRawPointer?] = x.map { UnsafeRawPointer($0.data) }, outs: [UnsafeMutableRawPointer?] = ys.map(\.data)
    let f = ins.withUnsafeBufferPointer { i in
      outs.withUnsafeBufferPointer { o -> HostFailure? in
        guard let p = i.baseAddress ?? UnsafePointer(bitPattern: 8), let q = o.baseAddress ?? UnsafePointer(bitPattern: 8) else { return nil }
        return step.run(p, q)
      }
    }
    if let f { throw Failure(f.code, f.message) }
    for y in ys where y.type.count > 0 { try observer.made(t, n, y, x, steps) }
    return ys
  }
}
