import CKernels
import Tape

/// One line a step: what it does to how many elements, and where the results lie; behind a loop its body's, indented.
func explain(_ plan: Plan, _ backend: Backend) -> String {
  let s = plan.structure
  var text = s.rerolled.isEmpty ? "" : s.rerolled + "\n"
  let runner = switch plan.machine(backend) {
  case .done(let m): "machine code (\(m.bytes) bytes in all)"
  case .none(let why): "kernels (\(why))"
  case .untried: "kernels"
  }
  for k in 0 ..< s.stages {
    if s.stages > 1 { text += "stage \(k)\n" }
    for t in plan.stages[k].steps ..< plan.stages[k].stepEnd {
      let r = plan.steps[t], n = Int(r.code)
      switch r.kind {
      case .scalar:
        let x = s.scalars.ranges[n]
        text += "scalar: \(x.codeCount - x.loads - x.storing) instructions, \(x.loads) in, \(x.stores) out, \(runner)\n"
      case .rows:
        let b = s.rowBlocks[n]
        text += "row by row: \(b.operations) operators, \(b.folds) of them along rows, on \(b.count) rows by \(b.block), \(b.stored) out\n"
      case .block:
        let b = plan.vectors.blocks[n]
        text += "elementwise: \(b.operations) operators on \(b.count) elements by \(b.block), \(b.inputs.count) in, \(b.outputs.count) out, \(b.registers) registers"
        let woven = b.stores.reduce(0) { $0 + Int($1.count) }
        if !b.maps.isEmpty { text += ", \(b.entries.count { $0.map >= 0 }) read through maps" }
        if woven > 0 { text += ", \(woven) parts of concats" }
        text += ": \(operators(b))\(machine(b, plan.vectors))"
        text += b.outputs.map { " -> " + place(plan, r.table, b, $0.value) }.joined() + "\n"
      case .scan:
        let x = s.scans[n]
        text += "scan: \(x.length) steps\(x.reverse ? " backwards" : ""), \(x.carries) carries, body of \(plan.bodies[n].steps.count) steps in \(plan.bodies[n].memory) bytes\(x.body.rerolled.isEmpty ? "" : ", " + x.body.rerolled)\n"
        text += explain(plan.bodies[n], backend).split(separator: "\n").map { "  \($0)\n" }.joined()
      default:
        let x = s.kernels[n]
        text += "\(x.name): \(x.types.map(\.description).joined(separator: ", ")) -> \(x.type.description) \(place(plan.table[r.table + x.operands.count]))\n"
      }
    }
  }
  return text
}

/// The operators' names in the order in which they run, a long list shortened.
private func operators(_ b: BlockCode) -> String {
  var names: [String] = [], more = 0
  func add(_ code: Int32) {
    if code < 0 { return }
    if names.count == 12 { more += 1 } else { names.append(Int(code) < 7 * Rows.count ? String(cString: ck_row_name(code / 7)) : "cast") }
  }
  for i in b.instructions {
    if i.part >= 0 { for p in b.parts[Int(i.part)].code { add(Int32(p.code)) } } else { add(i.code) }
  }
  return names.joined(separator: " ") + (more > 0 ? " and \(more) more" : "")
}

private func machine(_ b: BlockCode, _ v: VectorBlocks) -> String {
  let all = b.parts.reduce(0) { $0 + $1.code.count } + b.instructions.count { $0.code >= 0 }, inside = b.parts.reduce(0) { $0 + $1.code.count }
  if inside == 0 { return v.why.isEmpty ? "" : " (kernels: \(v.why))" }
  return " (\(inside == all ? "" : "\(inside) of \(all) in ")machine code, \(b.parts.map(\.lanes).max() ?? 0) lanes)"
}

private func place(_ plan: Plan, _ table: Int, _ b: BlockCode, _ value: Int32) -> String {
  for (i, e) in b.entries.enumerated() where e.value == value { return place(plan.table[table + i]) }
  return "?"
}

private func place(_ r: Ref) -> String {
  switch r.region {
  case .input: "input \(r.offset)"
  case .output: "output \(r.offset)"
  default: "at \(r.offset)"
  }
}
