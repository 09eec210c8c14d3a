import CKernels
package import Tape

extension MethodPlan {
  /// The table in words and numbers.
  package var text: String {
    let rows = table
    var s = "\(isHessian ? "Hessian" : "Jacobian"), \(isSparse ? "sparse" : "dense"), \(rowCount) x \(columnCount)\n"
    if let c = chosen {
      s += "chosen: \(c.name), "
      switch ground {
      case .predicted: s += "by prediction"
      case .tasted: s += "by runs at the point (they took \(number(spent)) evaluations of it)"
      case .remembered: s += "by an earlier verdict for the same function on this machine"
      case .accurate: s += "for the least predicted rounding error"
      }
      s += "\n"
    }
    s += "method              flops      bytes      colors  passes  memory     predicted  measured   error\n"
    for e in rows {
      s += padded(e.method.name, 20)
      if !e.applies {
        s += "does not apply: \(e.reason)\n"
        continue
      }
      s += padded(number(e.flops), 11) + padded(number(e.bytes), 11) + padded("\(e.colours)", 8) + padded("\(e.passes)", 8) + padded(number(e.memory), 11)
      s += padded(time(e.predicted), 11) + padded(e.measured > 0 ? time(e.measured) : "-", 11) + scientific(e.error)
      if !e.made { s += " (at least, by its counts: not made)" }
      if e.method == .finiteDifferences { s += " (for comparison: never chosen)" }
      s += "\n"
    }
    let m = Calibration.shared
    if took.counting > 0 { s += "planning took \(time(took.counting)) for counting, \(time(took.compiling)) for compiling, \(time(took.running)) for runs\n" }
    s += "this machine: a further tangent costs \(number(m.lane)) of a network, its vjp \(number(m.vjp)), its Hessian times a vector \(number(m.hvp)); "
    s += "\(number(m.flop)) ns an addition in an array, \(number(m.scalar)) among single numbers, \(number(m.step)) a step, \(number(m.call)) a call\n"
    return s
  }

  package var json: String {
    var s = "{\"kind\": \"\(isHessian ? "hessian" : "jacobian")\", \"sparse\": \(isSparse), \"rows\": \(rowCount), \"columns\": \(columnCount), "
    s += "\"chosen\": \(chosen.map { "\"\($0.name)\"" } ?? "null"), \"ground\": \"\(ground.rawValue)\", \"spent\": \(plain(spent)), "
    s += "\"planning\": {\"counting_ns\": \(plain(took.counting)), \"compiling_ns\": \(plain(took.compiling)), \"running_ns\": \(plain(took.running))}, \"methods\": ["
    for (i, e) in table.enumerated() {
      s += "\(i == 0 ? "" : ", "){\"method\": \"\(e.method.name)\", \"applies\": \(e.applies), \"made\": \(e.made), \"reason\": \"\(quoted(e.reason))\", \"flops\": \(plain(e.flops)), \"bytes\": \(plain(e.bytes)), "
      s += "\"colors\": \(e.colours), \"passes\": \(e.passes), \"memory\": \(plain(e.memory)), \"predicted_ns\": \(plain(e.predicted)), \"measured_ns\": \(e.measured > 0 ? plain(e.measured) : "null"), "
      s += "\"error\": \(plain(e.error))}"
    }
    let m = Calibration.shared
    s += "], \"machine\": {\"lane\": \(plain(m.lane)), \"vjp\": \(plain(m.vjp)), \"hvp\": \(plain(m.hvp)), \"flop_ns\": \(plain(m.flop)), \"scalar_ns\": \(plain(m.scalar)), "
    return s + "\"step_ns\": \(plain(m.step)), \"byte_ns\": \(plain(m.byte)), \"product_ns\": \(plain(m.product)), \"call_ns\": \(plain(m.call))}}"
  }

  private func plain(_ v: Double) -> String { v.isFinite ? "\(v)" : "null" }
  private func quoted(_ s: String) -> String {
    var r = ""
    for c in s.unicodeScalars { r += c == "\"" || c == "\\" ? "\\\(c)" : c.value < 32 ? " " : String(c) }
    return r
  }
  private func padded(_ s: String, _ n: Int) -> String { s.utf8.count >= n ? s + " " : s + String(repeating: " ", count: n - s.utf8.count) }
  /// Three digits, thousands as k, M, G.
  private func number(_ v: Double) -> String {
    if v >= 1e9 { return digits(v / 1e9) + "G" }
    if v >= 1e6 { return digits(v / 1e6) + "M" }
    if v >= 1e4 { return digits(v / 1e3) + "k" }
    return digits(v)
  }
  private func digits(_ v: Double) -> String {
    if v >= 100 || v == v.rounded() { return "\(Int(v.rounded()))" }
    let tenths = v >= 10 ? 10.0 : 100.0, x = Int((v * tenths).rounded())
    let rest = "\(x % Int(tenths))"
    return "\(x / Int(tenths)).\(String(repeating: "0", count: (tenths == 10 ? 1 : 2) - rest.utf8.count))\(rest)"
  }
  private func time(_ ns: Double) -> String { ns >= 1e9 ? digits(ns / 1e9) + " s" : ns >= 1e6 ? digits(ns / 1e6) + " ms" : ns >= 1e3 ? digits(ns / 1e3) + " us" : digits(ns) + " ns" }
  private func scientific(_ v: Double) -> String {
    guard v > 0, v.isFinite else { return "0" }
    var e = 0, x = v
    while x >= 9.95 { x /= 10; e += 1 }
    while x < 0.995 { x *= 10; e -= 1 }
    return "\(digits((x * 10).rounded() / 10))e\(e)"
  }
}

extension Tape {
  /// Dense blocks of a Jacobian, or of a scalar's Hessian, by a method of the planner's.
  package func blocks(by m: PlanMethod, hessian: Bool, _ outputs: [NodeID], _ inputs: [NodeID], name: String) -> [NodeID] {
    let count = hessian ? inputs.count * inputs.count : outputs.count * inputs.count, none = [NodeID](repeating: .none, count: count)
    if hessian, outputs.count != 1 {
      fail(.shape, "\(name): a Hessian is of one scalar, not of \(outputs.count) outputs")
      return none
    }
    guard jacobianArguments(outputs, inputs, name) else { return none }
    let y = hessian ? grad(outputs[0], inputs, name: name) : outputs
    guard failure == nil else { return none }
    switch m {
    case .forward, .reverse: return jacobian(y, inputs, mode: m == .forward ? .forward : .reverse, name: name)
    case .elimination: return eliminatedBlocks(y, inputs, .best, name: name)
    case .preaccumulate: return jacobian(preaccumulate(y, inputs), inputs, mode: .auto, name: name)
    case .stagewise: return stagedBlocks(y, inputs, name: name)
    case .compressedForward, .compressedReverse, .starBicolouring, .star, .edgePushing:
      guard let method = m.sparse, hessian || m != .star && m != .edgePushing, !hessian || m != .starBicolouring else { break }
      let stand = inputs.map { input(type($0)) }, moved = substitute(outputs, inputs, stand)
      guard failure == nil else { return none }
      do throws(Failure) {
        var q = Request(hessian ? .hessian : .jacobian, outputs: moved, variables: stand, data: [])
        q.method = method
        let matrix = try SparseMatrix(self, q), made = try matrix.blocks(try matrix.sourced())
        return substitute(made, stand, inputs)
      } catch {
        fail(error.code, "\(name): \(error.message)")
        return none
      }
    default: break
    }
    fail(.invalid, "\(name): \(m.name) does not give a dense \(hessian ? "Hessian" : "Jacobian")")
    return none
  }
}
