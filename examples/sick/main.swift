// A sick network: 40 layers of tanh whose weights begin three times too small, its gradients in f16, on the images of Fashion-MNIST. A flow watches its
// training, says what is wrong and where, and its remedies are applied one by one, each verified on copies, until nothing is found; then it trains.
//
//   swift run --package-path examples -c release sick
//   --steps N (of the healed network, 400)   --data DIR   --report FILE (both trainings beside each other, as an HTML file)
//
// main.c, main.cpp and main.py are the same program: the four print the same.
import CZlib
import Camber
import Glibc

let pixels = 784, width = 64, depth = 40, classes = 10, batch = 128, sickSteps = 30

struct Failure: Error, CustomStringConvertible { let description: String }

func text(_ format: String, _ values: CVarArg...) -> String {
  withVaList(values) { list in
    var line = [CChar](repeating: 0, count: 256)
    vsnprintf(&line, line.count, format, list)
    return String(cString: line)
  }
}

/// The items of a gzipped IDX file.
func readIDX(_ path: String, item: Int) throws -> [UInt8] {
  guard let file = gzopen(path, "rb") else { throw Failure(description: "\(path) cannot be opened: apt install dataset-fashion-mnist, or give --data DIR") }
  defer { gzclose(file) }
  var head = [UInt8](repeating: 0, count: item == 1 ? 8 : 16)
  guard gzread(file, &head, UInt32(head.count)) == head.count else { throw Failure(description: "\(path) ends early") }
  let count = head[4 ..< 8].reduce(0) { $0 << 8 | Int($1) }
  guard count >= batch, count <= 1_000_000 else { throw Failure(description: "\(path) is not an IDX file of the expected kind") }
  var data = [UInt8](repeating: 0, count: count * item)
  guard gzread(file, &data, UInt32(data.count)) == data.count else { throw Failure(description: "\(path) ends early") }
  return data
}

struct Dataset {
  let images, labels: [UInt8]
  init(_ folder: String, _ kind: String) throws {
    images = try readIDX("\(folder)/\(kind)-images-idx3-ubyte.gz", item: pixels)
    labels = try readIDX("\(folder)/\(kind)-labels-idx1-ubyte.gz", item: 1)
    guard images.count == labels.count * pixels else { throw Failure(description: "\(kind): images and labels differ in number") }
  }
}

typealias Floats = UnsafeMutableBufferPointer<Float>
func floats(_ n: Int) -> Floats {
  let p = Floats.allocate(capacity: n)
  p.initialize(repeating: 0)
  return p
}
func writable(_ list: [Floats]) -> [UnsafeMutableRawPointer?] { list.map { UnsafeMutableRawPointer($0.baseAddress) } }
func readable(_ list: [Floats]) -> [UnsafeRawPointer?] { list.map { UnsafeRawPointer($0.baseAddress) } }

let x = floats(batch * pixels), labels = UnsafeMutableBufferPointer<Int64>.allocate(capacity: batch)
func fill(_ d: Dataset, _ k: Int) {
  let first = k * batch % (d.labels.count - d.labels.count % batch)
  for i in 0 ..< batch {
    labels[i] = Int64(d.labels[first + i])
    for p in 0 ..< pixels { x[i * pixels + p] = Float(Double(d.images[(first + i) * pixels + p]) / 255) }
  }
}

func run() throws {
  var folder = "/usr/share/datasets/fashion-mnist", file = "", steps = 400
  let given = Array(CommandLine.arguments.dropFirst())
  for i in stride(from: 0, to: given.count - 1, by: 2) {
    switch given[i] {
    case "--steps": steps = Int(given[i + 1]) ?? 400
    case "--data": folder = given[i + 1]
    case "--report": file = given[i + 1]
    default: throw Failure(description: "\(given[i]) is no option; there are --steps, --data, --report")
    }
  }
  let train = try Dataset(folder, "train"), test = try Dataset(folder, "t10k")

  // The tape: 40 layers of tanh and a linear one.
  let tape = Tape(), optimizer = try Optimizer("adam", ["learning_rate": 2e-4])
  let images = tape.input(.f32, [batch, pixels]), truth = tape.input(.i64, [batch])
  var nodes: [Node] = [], layers: [Node] = [], params: [Floats] = [], h = images
  for i in 0 ... depth {
    let shape = [i > 0 ? width : pixels, i < depth ? width : classes]
    nodes += [tape.input(.f32, shape), tape.input(.f32, [shape[1]])]
    h = h.matmul(nodes[2 * i]) + nodes[2 * i + 1]
    if i < depth {
      h = tanh(h)
      layers.append(h)
    }
    params += [floats(shape[0] * shape[1]), floats(shape[1])]
    try optimizer.add("w\(i)", .f32, shape)
    try optimizer.add("b\(i)", .f32, [shape[1]])
    // The sickness.
    if let p = params[2 * i].baseAddress { try initialize("lecun", .f32, shape, p, gain: i < depth ? 1.0 / 3 : 1, seed: i) }
  }
  let gradients = params.map { floats($0.count) }
  let loss = -(truth.oneHot(classes, .f32) * h.logSoftmax(-1)).sum([-1]).mean()
  let flow = try Flow(tape, loss: loss, parameters: nodes, data: [images, truth], options: ["compute": Double(DType.f16.rawValue), "loss_scale": 1])
  let classify = try Program(tape, inputs: nodes + [images], outputs: [h.argmax(-1)]).makeRun()
  for (i, l) in layers.enumerated() { try flow.layer("layer \(i + 1)", l) }
  for i in nodes.indices { try flow.name(i, (i % 2 == 1 ? "b" : "w") + "\(i / 2 + 1)") }
  let data: [UnsafeRawPointer?] = [UnsafeRawPointer(x.baseAddress), UnsafeRawPointer(labels.baseAddress)]

  // One step; the loss. The gradients leave the flow times the loss scale.
  func step() throws -> Double {
    var loss: Float = 0
    let scale = Float(flow.lossScale)
    try flow.run(readable(params), data: data, loss: &loss, gradients: writable(gradients))
    for g in gradients { for k in g.indices { g[k] /= scale } }
    try optimizer.step(writable(params), readable(gradients))
    return Double(loss)
  }

  // Watch, prescribe, verify, watch again.
  let sick = Report("40 layers of tanh, sick"), healed = Report("40 layers of tanh, healed")
  var k = 0, rounds = 0, found = true
  while found, rounds < 8 {
    var first = 0.0, last = 0.0
    for i in 0 ..< sickSteps {
      fill(train, k)
      k += 1
      last = try step()
      if i == 0 { first = last }
    }
    print(text("%d steps: loss %.4f to %.4f, gradients change by e^%.2f a layer on the way back", sickSteps, first, last, flow.slope))
    let findings = flow.findings
    found = !findings.isEmpty
    for f in findings { print("  found: \(f.kind) at \(f.place): \(f.evidence)") }
    if let worst = findings.first {
      if rounds == 0 { sick.add(flow) }
      print("  advice: \(worst.advice)")
      print("  done: \(try flow.prescribe(worst, writable(params), data: data, optimizer: optimizer))")
      // Does it help? Training steps on copies, and what is then found.
      let left = try flow.verify(writable(params), data: data, optimizer: optimizer, steps: 24)
      print("  verified: \(left.first?.evidence ?? "24 steps on copies, nothing is found")")
    } else { print("  nothing found") }
    rounds += 1
  }

  var sum = 0.0
  for i in 0 ..< steps {
    fill(train, k)
    k += 1
    sum += try step()
    if (i + 1) % 100 == 0 {
      print(text("step %d: loss %.4f", i + 1, sum / 100))
      sum = 0
    }
  }
  healed.add(flow)
  healed.compare(sick, "healed", "sick")
  if !file.isEmpty { try healed.save(file, .html) }
  let guesses = UnsafeMutableBufferPointer<Int64>.allocate(capacity: batch), batches = test.labels.count / batch
  var right = 0
  for b in 0 ..< batches {
    fill(test, b)
    try classify(inputs: readable(params) + [data[0]], outputs: [UnsafeMutableRawPointer(guesses.baseAddress)])
    for i in 0 ..< batch where guesses[i] == labels[i] { right += 1 }
  }
  print(text("healed after %d rounds, test accuracy: %.2f %%", rounds, 100 * Double(right) / Double(batches * batch)))
}

do { try run() } catch {
  fputs("sick: \(error)\n", stderr)
  exit(1)
}
