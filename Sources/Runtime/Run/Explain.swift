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
        let woven = b.stores.reduce(0) { $0 + ($1.width == 0 ? 0 : Int($1.count)) }, bits = b.entries.count { $0.bits }
        if !b.maps.isEmpty { text += ", \(b.entries.count { $0.map >= 0 }) read through maps" }
        if bits > 0 { text += ", \(bits) masks as bits" }
        if woven > 0 { text += ", \(woven) parts of concats" }
        text += ": \(operators(b))\(machine(b, plan.vectors))"
        text += b.outputs.map { " -> " + place(plan, r.table, b, $0.value) }.joined() + "\n"
      case .call:
        let x = s.calls[n]
        text += "host call: \(x.host.function.name): \(x.types.map(\.description).joined(separator: ", ")) -> \(x.results.map(\.description).joined(separator: ", "))"
        text += x.host.batch < 0 ? "\n" : x.host.function.takesBatches ? ", a batch of \(x.host.batch)\n" : ", \(x.host.batch) instances\n"
      case .scan:
        let x = s.scans[n]
        let kind: String = switch x.form {
        case .scan: "scan: \(x.length) steps\(x.reverse ? " backwards" : ""), \(x.carries) carries"
        case .loop: "while: \(x.length < 0 ? "any number of" : "at most \(x.length)") steps, \(x.carries) carries"
        case .branch: "cond: one of \(x.bodies.count) branches"
        }
        text += kind
        for (k, b) in plan.bodies[n].enumerated() {
          text += "\(x.form == .branch ? "\n  branch \(k)" : ", body") of \(b.steps.count) steps in \(b.memory) bytes\(x.bodies[k].rerolled.isEmpty ? "" : ", " + x.bodies[k].rerolled)\(checkpoints(x))"
          let inner = explain(b, backend)
          if !inner.isEmpty { text += "\n" + inner.split(separator: "\n").map { "\(x.form == .branch ? "    " : "  ")\($0)" }.joined(separator: "\n") }
        }
        text += "\n"
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

/// How a loop's stacked carries are kept, and how those that it reads are made again.
private func checkpoints(_ x: ScanStep) -> String {
  var text = x.kept.map { ", \($0.slots) of \(x.length) carries kept in \($0.slots * $0.size) bytes" } ?? ""
  for r in x.refills {
    let extra = r.backwards ? Revolve.extra(r.length, slots: r.slots) - (r.prefilled ? r.length - 1 : 0) : r.length - 1
    text += ", carries of \(r.length) steps from \(r.slots) slots: \(extra) steps again"
  }
  return text
}

extension Plan {
  /// Why the arena does not fit, with what fills it.
  func refusal(_ limit: Int, least: Int?) -> Failure {
    var text = "program: memory_limit is \(limit) bytes, the arena needs \(memory)"
    if let least { text += " with every loop keeping one carry (\(least) as recorded)" }
    let list = largest(3)
    if !list.isEmpty { text += "; most of it: " + list.map { "\($0.bytes) bytes, \($0.what)" }.joined(separator: "; ") }
    text += ". "
    let loops = structure.scans.contains { $0.form == .scan && $0.kept == nil && $0.ys > 0 && $0.length > 1 }
    text += loops && least == nil ? "Fewer slots in loops (camber_scan_slots, scan_slots), recomputing parts (camber_checkpoint)" : "Recomputing parts (camber_checkpoint)"
    return Failure(.memory, text + ", fewer threads or a smaller batch take less")
  }

  /// What is live when most is, largest first.
  private func largest(_ n: Int) -> [(bytes: Int, what: String)] {
    let s = structure, steps = s.clusters.schedule.count
    if steps == 0 { return [] }
    var change = [Int](repeating: 0, count: steps + 1), own = [Int](repeating: 0, count: steps)
    func lives(_ v: Int) -> ClosedRange<Int>? {
      let x = s.values.list[v]
      guard x.origin == .step, x.parent < 0, x.bytes > 0, x.def >= 0 || x.first < Int32.max else { return nil }
      let from = min(Int(max(x.def, 0)), Int(min(x.first, Int32(steps - 1)))), to = x.pinned ? steps - 1 : min(max(Int(x.last), from), steps - 1)
      return from ... to
    }
    for v in 0 ..< s.values.list.count {
      guard let r = lives(v) else { continue }
      change[r.lowerBound] += s.values.list[v].bytes
      change[r.upperBound + 1] -= s.values.list[v].bytes
    }
    for t in 0 ..< steps where s.code[t] >= 0 && s.clusters.steps[Int(s.clusters.schedule[t])].kind == .scan {
      let k = Int(s.code[t])
      own[t] = s.scans[k].scratch(Plan.common(bodies[k]), refills: refills[k].map(\.memory))
    }
    var now = 0, most = -1, peak = 0
    for t in 0 ..< steps {
      now += change[t]
      if now + own[t] > most { (most, peak) = (now + own[t], t) }
    }
    var found: [(bytes: Int, what: String)] = own[peak] > 0 ? [(own[peak], s.scans[Int(s.code[peak])].form == .branch ? "the larger branch of a cond" : "the body of a \(loop(s.scans[Int(s.code[peak])]))")] : []
    for v in 0 ..< s.values.list.count { if let r = lives(v), r.contains(peak) { found.append((s.values.list[v].bytes, maker(v))) } }
    return Array(found.sorted { $0.bytes > $1.bytes }.prefix(n))
  }

  private func loop(_ x: ScanStep) -> String { x.form == .loop ? "while" : "loop of \(x.length) steps" }

  private func maker(_ v: Int) -> String {
    let s = structure, n = Int32(v)
    for x in s.scans {
      if let k = x.kept, k.buffer == n { return "carries that a \(loop(x)) keeps" }
      if x.members.contains(n) { return x.form == .branch ? "a result of a cond" : "a result of a \(loop(x))" }
    }
    if let k = s.kernels.first(where: { $0.out == n }) { return "\(k.name) -> \(k.type.description)" }
    let x = s.values.list[v]
    return "an elementwise result \(TensorType(DType(rawValue: Int32(x.dtype)) ?? .f64, [x.count]).description)"
  }
}

extension Structure {
  /// Steps of the longest loop, those within bodies too.
  var longest: Int { scans.reduce(0) { n, x in x.bodies.reduce(x.form == .scan ? max(n, x.length) : n) { max($0, $1.longest) } } }
}
