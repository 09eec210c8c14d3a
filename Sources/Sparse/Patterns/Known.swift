import CKernels
import Runtime
package import Tape

/// What nodes are known to be when a pattern is made: constants always, and at a point everything.
final class Known {
  private var given: [NodeID: UnsafeRawPointer] = [:]
  private var computed: [NodeID: Cells<UInt8>?] = [:]
  private var constant: [NodeID: Bool] = [:]
  /// Values of inputs, for patterns at a point.
  private let point: (inputs: [NodeID], data: [UnsafeRawPointer])?
  init(at point: (inputs: [NodeID], data: [UnsafeRawPointer])? = nil) { self.point = point }

  /// Lent for as long as this lives.
  func give(_ n: NodeID, _ p: UnsafeRawPointer) { given[n] = p }

  /// The node's elements as they lie in memory; nil where they are not known.
  func data(_ t: Tape, _ n: NodeID) -> UnsafeRawPointer? {
    if let p = given[n] { return p }
    if t.structural(n) == .array { return UnsafeRawPointer(t.arrays[Int(t.record(n).a)].data) }
    if let known = computed[n] { return known.map { UnsafeRawPointer($0.p) } }
    guard t.record(n).type >= 0, t.type(n).bytes <= 1 << 28, isConstant(t, n) else { return nil }
    let cells = try? evaluate(t, n)
    computed[n] = .some(cells)
    return cells.map { UnsafeRawPointer($0.p) }
  }

  private func isConstant(_ t: Tape, _ n: NodeID) -> Bool {
    if let c = constant[n] { return c }
    var stack: [(NodeID, Int)] = [(n, 0)]
    while let (m, slot) = stack.last {
      let r = t.record(m)
      if slot == 0 {
        switch Structural(rawValue: r.op) {
        case .input:
          constant[m] = point?.inputs.contains(m) ?? false
          stack.removeLast()
          continue
        case .capture, .host:
          constant[m] = false
          stack.removeLast()
          continue
        default: break
        }
      }
      if slot == Int(r.arity) {
        constant[m] = true
        stack.removeLast()
        continue
      }
      let x = t.input(of: r, slot)
      if let known = constant[x] {
        if known { stack[stack.count - 1].1 = slot + 1 } else {
          // One operand that varies is enough.
          constant[m] = false
          stack.removeLast()
        }
      } else {
        stack.append((x, 0))
      }
    }
    return constant[n] ?? false
  }

  private func evaluate(_ t: Tape, _ n: NodeID) throws(Failure) -> Cells<UInt8> {
    let p = try Program(t, inputs: point?.inputs ?? [], outputs: [n])
    _ = p.set("check_guards", 0)
    let w = try Workspace(p), cells = try Cells<UInt8>(t.type(n).bytes)
    var out: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(cells.p)
    let inputs: [UnsafeRawPointer?] = (point?.data ?? []).map { $0 } + [nil]
    let code = inputs.withUnsafeBufferPointer { w.run(inputs: $0.baseAddress.unsafelyUnwrapped, outputs: &out) }
    if code.rawValue < 0 { throw Failure(code, w.message) }
    return cells
  }
}

/// Element i of an array of a number's dtype is a zero.
func isZero(_ p: UnsafeRawPointer, _ d: DType, _ i: Int) -> Bool {
  switch d {
  case .f64: p.load(fromByteOffset: 8 * i, as: UInt64.self) & ~(1 << 63) == 0
  case .f32: p.load(fromByteOffset: 4 * i, as: UInt32.self) & ~(1 << 31) == 0
  case .f16, .bf16: p.load(fromByteOffset: 2 * i, as: UInt16.self) & ~(1 << 15) == 0
  case .i64: p.load(fromByteOffset: 8 * i, as: UInt64.self) == 0
  case .i32: p.load(fromByteOffset: 4 * i, as: UInt32.self) == 0
  case .bool: p.load(fromByteOffset: i, as: UInt8.self) == 0
  }
}

/// A movement's kernel on numbers: `ids` by slot, `index` the one operand that says where.
func moveNumbers(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ ids: [IDs?], index: (slot: Int, data: UnsafeRawPointer)? = nil) throws(Failure) -> IDs {
  let result = try IDs(t.type(n).count)
  try move(t, n, x, ids.map { $0.map { UnsafeRawPointer($0.p) } }, .i32, index, result.p)
  return result
}
func moveMarks(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ marks: [Marks?], index: (slot: Int, data: UnsafeRawPointer)? = nil, into result: Marks) throws(Failure) -> Marks {
  try move(t, n, x, marks.map { $0.map { UnsafeRawPointer($0.p) } }, .i64, index, result.p)
  return result
}
private func move(_ t: Tape, _ n: NodeID, _ x: [NodeID], _ from: [UnsafeRawPointer?], _ d: DType, _ index: (slot: Int, data: UnsafeRawPointer)?, _ to: UnsafeMutableRawPointer) throws(Failure) {
  let s = t.structural(n).unsafelyUnwrapped, rule = row(s), attrs = t.attrs(n), out = t.type(n).with(d)
  let types = x.enumerated().map { slot, node in slot == index?.slot ? t.type(node) : t.type(node).with(d) }
  let scratch = try Cells<UInt8>(rule.scratch(types, attrs, out))
  var pointers: [UnsafeRawPointer?] = x.indices.map { slot in
    if let index, slot == index.slot { return index.data }
    return from[slot]
  }
  pointers.append(UnsafeRawPointer(to))
  pointers.append(UnsafeRawPointer(scratch.p))
  let geometry = rule.geometry(types, attrs, out)
  let said = pointers.withUnsafeBufferPointer { p in
    p.withMemoryRebound(to: UnsafeRawPointer.self) { rule.kernel(Call(x: $0.baseAddress.unsafelyUnwrapped, types: types, type: out, attrs: attrs, geometry: geometry)) }
  }
  if let said { throw Failure(.invalid, said) }
}

/// Of a scatter_add with known places: the element of the result that each update is added to.
func scatterPlaces(_ t: Tape, _ n: NodeID, _ index: UnsafeRawPointer) throws(Failure) -> IDs {
  let x = t.inputs(n), a = t.attrs(n), out = t.type(n).with(.i32), updates = t.type(x[1]).with(.i32), rule = row(.gather)
  let numbers = try IDs(out.count), places = try IDs(updates.count)
  for i in 0 ..< out.count { numbers[i] = Int32(i) }
  let types = [out, t.type(x[0])], attrs = Array(a.prefix(2)), geometry = rule.geometry(types, attrs, updates)
  let pointers: [UnsafeRawPointer] = [UnsafeRawPointer(numbers.p), index, UnsafeRawPointer(places.p), UnsafeRawPointer(places.p)]
  let said = pointers.withUnsafeBufferPointer { rule.kernel(Call(x: $0.baseAddress.unsafelyUnwrapped, types: types, type: updates, attrs: attrs, geometry: geometry)) }
  if let said { throw Failure(.invalid, said) }
  return places
}
