export default function About() {
  return (
    <section>
      <h2>About</h2>
      <p>
        AppHub registers applications, builds them and launches them. A catalog, a metastore, a filestore and a
        timestore do the work behind this page.
      </p>
    </section>
  );
}
