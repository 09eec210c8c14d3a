import CKernels
import Tape

/// What a pattern's variable stands for: a node, or what has no node of its own yet.
indirect enum Term: Equatable {
  case node(NodeID)
  case constant(Double)
  case sum([Part])
  case product(Bool, [Part])
  /// A member of a sum, `flip` where it is subtracted, or of a product, where it divides.
  struct Part: Equatable { var flip: Bool, t: Term }
}

/// What to do with what was bound: an object, since a closure would be specialised into every function that passes it on.
final class Then {
  let go: (Bindings) -> Bool
  init(_ f: @escaping (Bindings) -> Bool) { go = f }
}

struct Bindings {
  var terms: [Term?]
  var axes: [Int]?
  /// What is left of the factors of a product at the root.
  var rest: [Term.Part] = []
  var negative = false
}

/// Finds patterns on a tape as it was recorded: commuted, associated otherwise, with differences and quotients for sums and products.
struct Matcher {
  let t: Tape
  static let most = 8

  private func constant(_ n: NodeID) -> Double? {
    guard let c = t.uniformConstant(n), t.dtype(c).isFloat else { return nil }
    return Double(bitPattern: t.constantBits(c))
  }
  private func term(_ n: NodeID) -> Term { constant(n).map { .constant($0) } ?? .node(n) }
  private func negate(_ x: Term) -> Term {
    switch x {
    case .constant(let v): return .constant(-v)
    case .node(let n) where t.op(n) == OpCode(Unary.neg): return term(t.input(n, 0))
    case .product(let s, let f): return s && f.count == 1 && !f[0].flip ? f[0].t : .product(!s, f)
    case .sum(let s): return .sum(s.map { Term.Part(flip: !$0.flip, t: $0.t) })
    default: return .product(true, [Term.Part(flip: false, t: x)])
    }
  }

  /// The members of a sum; of anything else itself.
  private func members(_ x: Term, flat: Bool) -> [Term.Part] {
    var out: [Term.Part] = [], stack = [Term.Part(flip: false, t: x)]
    var first = true
    while let p = stack.popLast() {
      guard out.count + stack.count < Matcher.most, flat || first else { out.append(p); continue }
      switch p.t {
      case .sum(let s): stack += s.reversed().map { Term.Part(flip: $0.flip != p.flip, t: $0.t) }
      case .product(true, let f) where f.count == 1 && !f[0].flip: stack.append(Term.Part(flip: !p.flip, t: f[0].t))
      case .constant(let v) where v < 0: out.append(Term.Part(flip: !p.flip, t: .constant(-v)))
      case .node(let n):
        let op = t.op(n)
        if op == OpCode(Binary.add) || op == OpCode(Binary.sub) {
          stack.append(Term.Part(flip: p.flip != (op == OpCode(Binary.sub)), t: term(t.input(n, 1))))
          stack.append(Term.Part(flip: p.flip, t: term(t.input(n, 0))))
          first = false
        } else if op == OpCode(Unary.neg) {
          stack.append(Term.Part(flip: !p.flip, t: term(t.input(n, 0))))
        } else {
          out.append(p)
        }
      default: out.append(p)
      }
    }
    return out
  }

  private func factors(_ x: Term, flat: Bool) -> (negative: Bool, parts: [Term.Part]) {
    var out: [Term.Part] = [], stack = [Term.Part(flip: false, t: x)], negative = false, scale = 1.0
    var first = true
    while let p = stack.popLast() {
      if case .constant(let v) = p.t {
        if v < 0 { negative = !negative }
        scale = p.flip ? scale / abs(v) : scale * abs(v)
        continue
      }
      guard out.count + stack.count < Matcher.most, flat || first else { out.append(p); continue }
      switch p.t {
      case .product(let s, let f):
        if s { negative = !negative }
        stack += f.reversed().map { Term.Part(flip: $0.flip != p.flip, t: $0.t) }
      case .node(let n):
        let op = t.op(n), a = t.arity(n) > 0 ? term(t.input(n, 0)) : .constant(0)
        if op == OpCode(Binary.mul) || op == OpCode(Binary.div) {
          stack.append(Term.Part(flip: p.flip != (op == OpCode(Binary.div)), t: term(t.input(n, 1))))
          stack.append(Term.Part(flip: p.flip, t: a))
          first = false
        } else if op == OpCode(Unary.square) || (op == OpCode(Binary.pow) && constant(t.input(n, 1)) == 2) {
          stack += [Term.Part(flip: p.flip, t: a), Term.Part(flip: p.flip, t: a)]
          first = false
        } else if op == OpCode(Unary.reciprocal) {
          stack.append(Term.Part(flip: !p.flip, t: a))
        } else if op == OpCode(Unary.neg) {
          negative = !negative
          stack.append(Term.Part(flip: p.flip, t: a))
        } else {
          out.append(p)
        }
      default: out.append(p)
      }
    }
    if scale != 1 || out.isEmpty { out.append(Term.Part(flip: false, t: .constant(scale))) }
    return (negative, out)
  }

  // MARK: matching; `then` goes on with what was bound, and says whether that will do

  func match(_ p: Pattern, _ x: Term, _ b: Bindings, _ then: Then) -> Bool {
    switch p {
    case .variable(let i, let isConstant):
      let bound: Term
      if case .node(let n) = x, let v = constant(n) { bound = .constant(v) } else { bound = x }
      if isConstant { guard case .constant = bound else { return false } }
      if let known = b.terms[Int(i)] { return same(known, bound) && then.go(b) }
      var c = b
      c.terms[Int(i)] = bound
      return then.go(c)
    case .constant(let v):
      let w: Double?
      switch x {
      case .constant(let c): w = c
      case .node(let n): w = constant(n)
      default: w = nil
      }
      guard let w, w == v || abs(w - v) <= 1e-14 * abs(v) else { return false }
      return then.go(b)
    case .sum(let parts):
      for flat in [false, true] {
        let m = members(x, flat: flat)
        guard m.count >= parts.count, m.count <= Matcher.most else { continue }
        if assign(parts.map { ($0.negative, $0.p) }, m, b, isSum: true, then) { return true }
        if !flat, m.count > parts.count { break }
      }
      return false
    case .product(let negative, let parts):
      for flat in [false, true] {
        let (sign, f) = factors(x, flat: flat)
        guard f.count >= parts.count || parts.count == 1, f.count <= Matcher.most else { continue }
        if parts.count == 1, !parts[0].inverse {
          // A negation alone: what is behind it, whatever it is.
          if negative, !parts[0].p.isVariable, !sign { continue }
          return match(parts[0].p, negative ? negate(x) : x, b, then)
        }
        if sign != negative, !parts.contains(where: { $0.p.isVariable }) { continue }
        let given = sign == negative ? f : flipped(f, parts)
        if assign(parts.map { ($0.inverse, $0.p) }, given, b, isSum: false, then) { return true }
      }
      return false
    case .call(let op, let x1): return call(op, x1, x, b, then)
    case .named(.spread, let inner):
      guard case .node(let n) = x, let (r, axes) = spread(n) else { return false }
      if let known = b.axes, known != axes { return false }
      var c = b
      c.axes = axes
      return match(inner[0], .node(r), c, then)
    case .named(.inverse, let inner):
      guard case .node(let n) = x, t.structural(n) == .solve, isIdentity(t.input(n, 1)) else { return false }
      return match(inner[0], .node(t.input(n, 0)), b, then)
    case .named: return false
    }
  }

  /// The sign that a product has too much goes to a member that a variable takes.
  private func flipped(_ f: [Term.Part], _ parts: [(inverse: Bool, p: Pattern)]) -> [Term.Part] {
    var g = f
    for k in g.indices {
      if case .constant = g[k].t { continue }
      g[k].t = negate(g[k].t)
      return g
    }
    if let k = g.indices.first { g[k].t = negate(g[k].t) }
    return g
  }

  private func same(_ a: Term, _ b: Term) -> Bool {
    if a == b { return true }
    if case .constant(let v) = a, case .constant(let w) = b { return v == w }
    // Through the nodes' own signs and orders.
    let (s, f) = factors(a, flat: true), (r, g) = factors(b, flat: true)
    if s == r, f.count == g.count, f.count > 1 || f != [Term.Part(flip: false, t: a)] {
      var left = g
      for p in f { if let k = left.firstIndex(of: p) { left.remove(at: k) } }
      if left.isEmpty { return true }
    }
    return false
  }

  /// Members to the pattern's parts, in any order; a variable that comes last takes all that is left.
  private func assign(_ parts: [(flip: Bool, p: Pattern)], _ m: [Term.Part], _ b: Bindings, isSum: Bool, _ then: Then) -> Bool {
    // What is narrowest first.
    func width(_ p: Pattern) -> Int {
      switch p {
      case .constant: 0
      case .variable(let i, let c): b.terms[Int(i)] != nil ? 1 : c ? 3 : 4
      default: 2
      }
    }
    let order = parts.indices.sorted { (width(parts[$0].p), $0) < (width(parts[$1].p), $1) }
    return place(parts, order[...], m, b, isSum, then)
  }

  private func place(_ parts: [(flip: Bool, p: Pattern)], _ order: ArraySlice<Int>, _ m: [Term.Part], _ b: Bindings, _ isSum: Bool, _ then: Then) -> Bool {
    guard let k = order.first else { return m.isEmpty && then.go(b) }
    let part = parts[k], rest = order.dropFirst()
    if rest.isEmpty, m.count > 1 {
      guard case .variable(_, isConstant: false) = part.p else { return false }
      let all = m.map { Term.Part(flip: $0.flip != part.flip, t: $0.t) }
      return match(part.p, isSum ? .sum(all) : .product(false, all), b, then)
    }
    for i in m.indices {
      var left = m
      let one = left.remove(at: i)
      let x: Term
      if one.flip == part.flip {
        x = one.t
      } else if case .variable = part.p {
        // A variable takes what is subtracted as its negative; quotients are not turned over.
        if isSum { x = negate(one.t) } else if case .constant(let v) = one.t { x = .constant(1 / v) } else { continue }
      } else {
        continue
      }
      if match(part.p, x, b, Then { place(parts, rest, left, $0, isSum, then) }) { return true }
    }
    return false
  }

  private func call(_ op: OpCode, _ x: [Pattern], _ given: Term, _ b: Bindings, _ then: Then) -> Bool {
    guard case .node(let n) = given else { return false }
    if t.op(n) == op {
      if !op.isElementwise {
        switch op.structural {
        case .sum, .prod, .norm, .logsumexp, .softmax, .cumprod:
          if let known = b.axes, known != t.attrs(n) { return false }
          var c = b
          c.axes = t.attrs(n)
          return match(x[0], term(t.input(n, 0)), c, then)
        case .matmul:
          guard t.attrs(n) == [0, 0, 0, 0] else { return false }
        default: break
        }
      }
      guard t.arity(n) == x.count else { return false }
      if x.count == 1 { return match(x[0], term(t.input(n, 0)), b, then) }
      if x.count == 2 {
        let l = term(t.input(n, 0)), r = term(t.input(n, 1))
        if match(x[0], l, b, Then { match(x[1], r, $0, then) }) { return true }
        return op == OpCode(Binary.hypot) && match(x[0], r, b, Then { match(x[1], l, $0, then) })
      }
      return false
    }
    if op == OpCode(Unary.sqrt), t.op(n) == OpCode(Binary.pow), constant(t.input(n, 1)) == 0.5 { return match(x[0], term(t.input(n, 0)), b, then) }
    return false
  }

  /// A reduction's result spread over what it was taken of: broadcasts and reshapes that put it back along its axes.
  private func spread(_ n: NodeID) -> (NodeID, [Int])? {
    guard t.structural(n) == .broadcast else { return nil }
    let whole = t.shape(n)
    var m = t.input(n, 0)
    let below = t.shape(m), wide = [Int](repeating: 1, count: max(0, whole.count - below.count)) + below
    while t.structural(m) == .reshape { m = t.input(m, 0) }
    switch t.structural(m) {
    case .sum, .norm, .logsumexp, .prod: break
    default: return nil
    }
    let axes = t.attrs(m), from = t.shape(t.input(m, 0))
    guard from == whole else { return nil }
    var kept = whole
    for a in axes { kept[whole.count + a] = 1 }
    return kept == wide ? (m, axes) : nil
  }

  private func isIdentity(_ n: NodeID) -> Bool {
    var m = n
    while t.structural(m) == .broadcast || t.structural(m) == .reshape || t.structural(m) == .cast { m = t.input(m, 0) }
    if t.op(m) == OpCode(Binary.eq) {
      let a = t.input(m, 0), b = t.input(m, 1)
      return t.structural(a) == .iota && t.structural(b) == .iota && t.attrs(a) != t.attrs(b)
    }
    guard t.structural(m) == .array else { return false }
    let s = t.shape(m)
    guard s.count == 2, s[0] == s[1], t.dtype(m).isFloat else { return false }
    let p = t.arrays[Int(t.record(m).a)].data
    for i in 0 ..< s[0] { for j in 0 ..< s[0] where element(t.dtype(m), p, i * s[0] + j) != (i == j ? 1 : 0) { return false } }
    return true
  }

  /// The pattern at node n: the bindings, of a product also the factors that are left over.
  func root(_ r: Rewriting, _ n: NodeID, _ accept: Then) -> Bool {
    let b = Bindings(terms: [Term?](repeating: nil, count: r.variables), axes: nil), op = t.op(n)
    switch r.pattern {
    case .call(let want, _):
      guard op == want || (want == OpCode(Unary.sqrt) && op == OpCode(Binary.pow)) else { return false }
      return match(r.pattern, .node(n), b, accept)
    case .sum(let parts):
      guard op == OpCode(Binary.add) || op == OpCode(Binary.sub) else { return false }
      if match(r.pattern, .node(n), b, accept) { return true }
      return match(.sum(parts.map { (!$0.negative, $0.p) }), .node(n), b, Then { found in
        var c = found
        c.negative = true
        return accept.go(c)
      })
    case .product(let negative, let parts):
      guard op == OpCode(Binary.mul) || op == OpCode(Binary.div) || op == OpCode(Unary.reciprocal) || op == OpCode(Unary.square) || op == OpCode(Binary.pow) else { return false }
      for flat in [false, true] {
        let (sign, f) = factors(.node(n), flat: flat)
        guard f.count >= parts.count, f.count <= Matcher.most else { continue }
        var start = b
        start.negative = sign != negative
        if assign(parts.map { ($0.inverse, $0.p) }, f, start, isSum: false, accept) { return true }
        // Some of the factors, the others being left.
        if f.count > parts.count, f.count <= 5 {
          for k in f.indices {
            var some = f
            var c = start
            c.rest = [some.remove(at: k)]
            if some.count == parts.count, assign(parts.map { ($0.inverse, $0.p) }, some, c, isSum: false, accept) { return true }
          }
        }
      }
      return false
    default: return false
    }
  }
}
