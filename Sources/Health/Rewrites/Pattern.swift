import CKernels
import Tape

/// A rule's text as a tree. Sums and products are flat; negations stand at their members.
indirect enum Pattern {
  case variable(UInt8, isConstant: Bool)
  case constant(Double)
  case sum([(negative: Bool, p: Pattern)])
  case product(negative: Bool, [(inverse: Bool, p: Pattern)])
  case call(OpCode, [Pattern])
  case named(Named, [Pattern])

  /// What is made of several rows.
  enum Named: UInt8 { case spread, inverse, logdet, logabsdet, exp_slope, log_slope, sine_defect, cosine_slope, quadratic_upper, quadratic_lower, cross_difference }

  var isVariable: Bool { if case .variable = self { return true } else { return false } }
  var negated: Pattern {
    switch self {
    case .constant(let v): .constant(-v)
    case .sum(let s): .sum(s.map { (!$0.negative, $0.p) })
    case .product(let n, let f): .product(negative: !n, f)
    default: .product(negative: true, [(false, self)])
    }
  }
}

/// The reader of rules: (operator operand ...), numbers, letters.
struct PatternReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  /// Names of variables by number.
  private(set) var names: [[UInt8]]
  init(_ s: StaticString, names: [[UInt8]] = []) {
    bytes = UnsafeBufferPointer(start: s.utf8Start, count: s.utf8CodeUnitCount)
    self.names = names
  }

  private mutating func word() -> [UInt8] {
    var w: [UInt8] = []
    while at < bytes.count, bytes[at] != 32, bytes[at] != 41 { w.append(bytes[at]); at += 1 }
    return w
  }
  private mutating func blanks() { while at < bytes.count, bytes[at] == 32 { at += 1 } }

  mutating func read() -> Pattern {
    blanks()
    guard at < bytes.count else { return .constant(0) }
    if bytes[at] != 40 { return leaf(word()) }
    at += 1
    let name = String(decoding: word(), as: UTF8.self)
    var x: [Pattern] = []
    blanks()
    while at < bytes.count, bytes[at] != 41 {
      x.append(read())
      blanks()
    }
    at += 1
    return node(name, x)
  }

  private mutating func leaf(_ w: [UInt8]) -> Pattern {
    let c = w[0]
    let s = String(decoding: w, as: UTF8.self)
    if s == "-inf" { return .constant(-.infinity) }
    if s == "nan" { return .constant(.nan) }
    if c == 45 || (c >= 48 && c <= 57) { return .constant(Double(s) ?? 0) }
    if let i = names.firstIndex(of: w) { return .variable(UInt8(i), isConstant: c == 107) }
    names.append(w)
    return .variable(UInt8(names.count - 1), isConstant: c == 107)
  }

  private func node(_ name: String, _ x: [Pattern]) -> Pattern {
    switch name {
    case "+": return sum(x.map { (false, $0) })
    case "-": return sum([(false, x[0]), (true, x[1])])
    case "neg": return x[0].negated
    case "*": return product(x.map { (false, $0) })
    case "/": return product([(false, x[0]), (true, x[1])])
    case "square": return product([(false, x[0]), (false, x[0])])
    case "spread": return .named(.spread, x)
    case "inverse": return .named(.inverse, x)
    case "logdet": return .named(.logdet, x)
    case "logabsdet": return .named(.logabsdet, x)
    case "exp_slope": return .named(.exp_slope, x)
    case "log_slope": return .named(.log_slope, x)
    case "sine_defect": return .named(.sine_defect, x)
    case "cosine_slope": return .named(.cosine_slope, x)
    case "quadratic_upper": return .named(.quadratic_upper, x)
    case "quadratic_lower": return .named(.quadratic_lower, x)
    case "cross_difference": return .named(.cross_difference, x)
    case "sum": return .call(OpCode(Structural.sum), x)
    case "prod": return .call(OpCode(Structural.prod), x)
    case "norm": return .call(OpCode(Structural.norm), x)
    case "logsumexp": return .call(OpCode(Structural.logsumexp), x)
    case "softmax": return .call(OpCode(Structural.softmax), x)
    case "cumprod": return .call(OpCode(Structural.cumprod), x)
    case "cumsum": return .call(OpCode(Structural.cumsum), x)
    case "det": return .call(OpCode(Structural.det), x)
    case "solve": return .call(OpCode(Structural.solve), x)
    case "matmul": return .call(OpCode(Structural.matmul), x)
    default:
      for i in 0 ..< Int32(CK_ROW_COUNT) where String(cString: ck_row_name(i)) == name { return .call(OpCode(raw: UInt16(i)), x) }
      return .constant(.nan)
    }
  }

  private func sum(_ list: [(Bool, Pattern)]) -> Pattern {
    var flat: [(negative: Bool, p: Pattern)] = []
    for (negative, p) in list {
      switch p {
      case .sum(let inner): flat += inner.map { ($0.negative != negative, $0.p) }
      case .product(let n, let f) where n: flat.append((!negative, f.count == 1 && !f[0].inverse ? f[0].p : .product(negative: false, f)))
      case .constant(let v) where v < 0: flat.append((!negative, .constant(-v)))
      default: flat.append((negative, p))
      }
    }
    return .sum(flat)
  }
  private func product(_ list: [(Bool, Pattern)]) -> Pattern {
    var flat: [(inverse: Bool, p: Pattern)] = [], negative = false
    for (inverse, p) in list {
      switch p {
      case .product(let n, let f):
        if n { negative = !negative }
        for m in f {
          if inverse, case .constant(let v) = m.p { flat.append((false, .constant(1 / v))) } else { flat.append((m.inverse != inverse, m.p)) }
        }
      case .constant(let v):
        if v < 0 { negative = !negative }
        if abs(v) != 1 || list.count == 1 { flat.append((false, .constant(inverse ? 1 / abs(v) : abs(v)))) }
      default: flat.append((inverse, p))
      }
    }
    return .product(negative: negative, flat)
  }
}

/// A rule, read.
struct Rewriting {
  let text: RuleText
  let pattern: Pattern, replacement: Pattern
  let variables: Int
  /// Measured element by element: no reductions in it.
  let isElementwise: Bool
  init(_ t: RuleText) {
    text = t
    var r = PatternReader(t.pattern)
    pattern = r.read()
    var s = PatternReader(t.replacement, names: r.names)
    replacement = s.read()
    variables = r.names.count
    isElementwise = Rewriting.elementwise(pattern) && Rewriting.elementwise(replacement)
  }
  private static func elementwise(_ p: Pattern) -> Bool {
    switch p {
    case .variable, .constant: true
    case .sum(let s): s.allSatisfy { elementwise($0.p) }
    case .product(_, let f): f.allSatisfy { elementwise($0.p) }
    case .call(let op, let x): op.isElementwise && x.allSatisfy(elementwise)
    case .named(let n, let x): n.rawValue >= Pattern.Named.exp_slope.rawValue && x.allSatisfy(elementwise)
    }
  }
}
